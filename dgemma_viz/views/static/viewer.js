// The viewer: the views of one trace, or of two compared, linked by one small selection. It is the same in every host
// (Jupyter, a file, a server); a host adds how contents, clicks and Plotly travel.
//
// `state` (model.js, or Jupyter's model) holds what is looked at: `canvas`, `sample`, `step`, `position`, `quantity`,
// `shows`, `token_layout`, `playing`, `finding` (-1: none), `views` ("all", or "canvas" alone), and `dark`, which the viewer
// finds out; and, where a host has it, `row`, how many tokens stand in a row of the grid (0: as many as fit). Whoever changes
// a value says the whole of it: another canvas comes with its step, a finding with its place.
//
// `host`: `page()` (the contents as JSON, views/contents.py; without `canvases` where there are none), `places()`
// (place.js), `plotly()` promises Plotly. Some have more: `grows()`, the canvas of a run that is still being made, or
// nothing (live_run.py); `part(name)` promises one of the `parts` that the page does not bring; `status()`, words above the
// canvas; `link` (place_link.js); `ownsPage`, there is nothing else.

import { createAnswer } from "./answer.js";
import { createCanvasChoice } from "./canvas_choice.js";
import { createCharts } from "./charts.js";
import { element, setText } from "./dom.js";
import { renderFindings } from "./findings_list.js";
import { createInspection } from "./inspection.js";
import { createModel } from "./model.js";
import { watchTheme } from "./page_theme.js";
import { createRunViews, LINKED } from "./run_views.js";
import { createSearch, SEARCH_KEY } from "./search.js";
import { listenToKeys } from "./viewer_keys.js";

const WATCHED = ["canvas", "sample", ...LINKED, "finding", "views", "row"];
const LONG = 60; // tokens: a canvas of more reads as text, unless somebody chooses (views/answer.py)
const SLOW = 250; // ms that a canvas may take to come before this is said

const within = (value, size) => Math.max(0, Math.min(Math.round(value), size - 1));

export function createViewer({ root, state, host }) {
  let page = {}, place = null, answer = null, wanted = null, scheduled = false, loading = false, dark = false;
  const stale = new Set(), removers = [];
  const get = (name) => state.get(name);
  const empty = () => !place?.steps;

  // -- what the reader does --------------------------------------------------------------------------------------

  const goTo = (step) => !empty() && state.put({ step: within(step, place.steps) });

  // Another canvas starts at its first step, or at its last for who reads on from the last of this one, nothing pinned;
  // another sample keeps both as far as it has them.
  function chooseRun(name, value) {
    const ended = linked("token_layout") === "reading" && place?.steps > 1 && get("step") === place.steps - 1;
    const step = ended ? Math.max(0, (page.steps?.[get("sample")]?.[value] ?? 1) - 1) : 0;
    state.put({ [name]: value, playing: false, ...(name === "canvas" && { step, position: -1 }) });
  }
  function turnPage(by) {
    const canvas = get("canvas") + by;
    if (canvas >= 0 && canvas < page.canvases) chooseRun("canvas", canvas);
  }

  // Where something points; what it does not name stays as it is.
  function jumpTo({ canvas, sample, step, positions }, more = {}) {
    const other = canvas !== null && canvas !== get("canvas");
    state.put({
      ...more, sample, ...(canvas !== null && { canvas }), ...(other && { step: 0, position: -1 }),
      ...(step !== null && { step }), ...(positions.length && { position: positions[0] }),
    });
  }

  function jumpToFirst() {
    const first = page.firsts[get("sample")];
    if (first) jumpTo({ ...first, sample: get("sample") });
  }

  const fold = () => state.put({ views: get("views") === "all" ? "canvas" : "all" });

  // -- parts -----------------------------------------------------------------------------------------------------

  const node = element("div", { class: "dge" });
  const head = element("header"), table = element("div"), choice = createCanvasChoice(chooseRun);
  const waiting = element("p", { class: "dge-waiting", role: "status", hidden: true });
  const status = element("p", { class: "dge-waiting dge-status", role: "status", hidden: true });
  const findings = createModel({ entries: [], summary: "", remark: "", chosen: -1 }), findingsPlace = element("div");
  const jump = element("button", { type: "button", class: "dge-button", onclick: jumpToFirst }, "Jump to the first difference");
  const unfold = element("button", { type: "button", class: "dge-button", onclick: fold });
  const copy = element("button", { type: "button", class: "dge-button", onclick: () => host.link.copy() }, "Copy link to this place");
  copy.hidden = !host.link;
  const bar = element("div", { class: "dge-bar" }, unfold, copy, host.link?.told);
  const glossary = element("div");
  const keys = [
    ["Page Up, Page Down", "the canvas before, the next canvas"], ["v", "the canvas alone, or all views"],
    ...(host.link ? [["l", "copy a link to this canvas, step and position"]] : []), SEARCH_KEY,
  ];
  const runs = createRunViews({ keys, changed: (name, value) => value === linked(name) || state.put({ [name]: value }) });
  const go = (found, more) => jumpTo(found, { finding: -1, playing: false, ...more });
  const search = createSearch({ root: node, tokens: runs.node, state, host, page: () => page, named: () => namePositions(), go });
  const inspection = createInspection(goTo, (there) => jumpTo({ ...there, positions: [] }, { finding: -1, playing: false }));
  const charts = createCharts({
    plotly: host.plotly,
    step: goTo,
    cell: (position, step) => state.put({ position: within(position, place.positions), step: within(step, place.steps) }),
    table,
  });
  node.append(head, findingsPlace, jump, status, choice.node, waiting, search.node, runs.node, bar, inspection.node, charts.node, glossary);

  // -- contents --------------------------------------------------------------------------------------------------

  // Another trace, or none yet.
  function open() {
    page = { ...host.page() };
    place = null;
    runs.open(page.names ?? ["Token canvas"], page.scales);
    inspection.open(page);
    answer?.close();
    answer = createAnswer(runs.paper(), (canvas) => chooseRun("canvas", canvas));
    showFindings(page.findings);
    for (const name of page.parts ?? []) if (!page[name]) fetchPart(name);
    glossary.innerHTML = page.glossary ?? ""; // our own words
    choice.open(page);
    // What the reader has chosen meanwhile may be in the trace before alone.
    const counts = { canvas: page.canvases, sample: page.samples };
    const beyond = Object.entries(counts).filter(([name, count]) => page.canvases && get(name) >= count);
    if (beyond.length) state.put({ ...Object.fromEntries(beyond.map(([name]) => [name, 0])), step: 0, position: -1 });
    load();
    search.anew();
  }

  const has = (name) => Boolean(page.parts?.includes(name));

  function showFindings(found) {
    const none = { entries: [], summary: has("findings") ? "still looking …" : "", remark: "", chosen: -1 };
    const problem = found?.problem && { summary: `cannot be shown: ${found.problem}` };
    findings.put({ ...none, ...found, ...problem, chosen: get("finding") });
    findingsPlace.hidden = !has("findings");
  }

  // Some parts are made from all canvases: the tokens do not wait for them.
  async function fetchPart(name) {
    const of = page, none = ({ message }) => ({ entries: [], places: [], problem: message });
    const part = await Promise.resolve(host.part(name)).catch(none);
    if (of !== page) return;
    page[name] = part;
    if (name === "answer") return drawSoon("answer");
    showFindings(part);
    namePositions();
    drawSoon("finding");
  }

  // After all values that come together.
  function loadSoon() {
    if (loading === "soon") return;
    loading = "soon";
    queueMicrotask(load);
  }

  // The chosen canvas of the chosen sample; what was looked at stays until it is there.
  async function load() {
    const asked = (wanted = {}), canvas = get("canvas"), sample = get("sample");
    loading = true;
    const slow = setTimeout(() => asked === wanted && tell(waiting, `Fetching canvas ${canvas} …`), SLOW);
    let found = null, problem = "";
    try {
      if (page.canvases) found = await host.places().place(canvas, sample);
    } catch (error) {
      problem = `Canvas ${canvas} cannot be shown: ${error.message}`;
    }
    clearTimeout(slow);
    if (asked !== wanted) return;
    loading = false;
    tell(waiting, "");
    place = found;
    const shown = place?.runs ?? [];
    runs.show(shown, place, problem || page.empty);
    const last = Math.max(0, (place?.steps ?? 0) - 1);
    if (place && get("step") > last) state.put({ step: last });
    if (place && get("position") >= place.positions) state.put({ position: -1 });
    runs.put(Object.fromEntries(LINKED.map((name) => [name, linked(name)])));
    grow();
    drawSoon("canvas", "sample");
  }

  // A run that is still being made: nothing but its canvas.
  function grow() {
    const grown = host.grows?.();
    if (grown) {
      runs.live(grown);
      runs.put({ token_layout: linked("token_layout") });
    }
    drawSoon("canvas");
  }

  const tell = (part, words) => (setText(part, words), (part.hidden = !words));
  const told = () => tell(status, host.status?.() ?? "");

  // A layout that nobody chose is that of the run.
  function linked(name) {
    if (name !== "token_layout" || get(name) !== "auto") return get(name);
    return page.layout ?? (host.grows?.()?.packing?.positions > LONG ? "reading" : "grid");
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  // Changes that come together are drawn together, once; the tokens are painted before.
  function drawSoon(...names) {
    for (const name of names) stale.add(name);
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      const changed = new Set(stale);
      stale.clear();
      draw(changed);
    });
  }

  function draw(changed) {
    const anew = ["canvas", "sample", "dark", "views"].some((name) => changed.has(name));
    const sample = get("sample"), folded = page.alone || get("views") === "canvas", live = Boolean(host.grows?.());
    node.classList.toggle("dge-dark", dark);
    node.classList.toggle("dgv-in-rows", (get("row") ?? 0) > 0);
    node.style.setProperty("--dgv-row", get("row") ?? 0);
    if (changed.has("sample") || changed.has("views")) {
      head.innerHTML = page.heads?.[sample] ?? "";
      table.innerHTML = page.tables?.[sample] ?? "";
      jump.hidden = live || !page.firsts?.[sample];
    }
    choice.show({ canvas: get("canvas"), sample }, page.findings);
    const nothing = live || empty();
    for (const part of [head, glossary]) part.hidden = folded || live;
    findingsPlace.hidden = folded || live || !has("findings");
    choice.node.hidden = live || choice.empty();
    if (["answer", "canvas", "sample"].some((name) => changed.has(name))) answer.draw(nothing ? {} : page, sample, get("canvas"));
    bar.hidden = search.node.hidden = live || !page.canvases || page.alone;
    setText(unfold, folded ? "All views" : "The canvas alone");
    unfold.setAttribute("aria-expanded", String(!folded));
    inspection.node.hidden = charts.node.hidden = folded || nothing;
    if (folded || nothing) return;
    const at = { canvas: get("canvas"), sample, step: get("step"), position: get("position"), quantity: get("quantity") };
    charts.draw({ page, place, stores: runs.stores(), look: dark ? "dark" : "light", changed, anew, ...at });
    if (anew || changed.has("step") || changed.has("position")) inspection.show(place, runs.stores(), at);
  }

  function namePositions() {
    const found = page.findings?.places[get("finding")];
    const here = found && found.canvas === get("canvas") && found.sample === get("sample");
    runs.name(here ? [found.positions] : search.found(), here ? "" : "found");
  }

  // -- links -----------------------------------------------------------------------------------------------------

  function changed(name) {
    if (name === "canvas" || name === "sample") {
      if (page.canvases) loadSoon();
    } else if (LINKED.includes(name) && !loading) runs.put({ [name]: linked(name) });
    if (name === "finding") findings.set("chosen", get("finding"));
    if (["finding", "canvas", "sample"].includes(name)) namePositions();
    host.link?.moved();
    drawSoon(name);
  }

  for (const name of WATCHED) {
    const act = () => changed(name);
    state.on(`change:${name}`, act);
    removers.push(() => state.off(`change:${name}`, act));
  }
  removers.push(search.stop, renderFindings(findings, findingsPlace));
  findings.on("change:chosen", () => {
    const chosen = findings.get("chosen");
    if (chosen === get("finding")) return;
    const found = page.findings?.places[chosen];
    if (found) jumpTo(found, { finding: chosen });
    else state.put({ finding: chosen });
  });

  const acts = {
    fold: () => page.canvases && (fold(), true),
    copy: () => host.link && (host.link.copy(), true),
    turn: (by) => page.canvases > 1 && (turnPage(by), true),
    go: (to) => !empty() && (goTo({ first: 0, previous: get("step") - 1, next: get("step") + 1, last: place.steps - 1 }[to]), true),
    play: () => !empty() && (state.put({ playing: !get("playing") }), true),
  };
  removers.push(listenToKeys(node, Boolean(host.ownsPage), acts));

  root.append(node);
  // Told to the state, which others may share whose page is another.
  removers.push(watchTheme(node, (now) => {
    runs.put({ dark: now });
    if (now !== get("dark")) state.put({ dark: now });
    if (now !== dark) drawSoon("dark");
    dark = now;
  }));
  told();
  open();
  return {
    open,
    reload: load,
    grow,
    told,
    close() {
      for (const remove of removers) remove();
      runs.close();
      charts.close();
      node.remove();
    },
  };
}
