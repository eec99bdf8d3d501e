// The exported page: the views of one trace, or of two compared, linked by one small selection as in Jupyter, without a
// kernel. Started by the loader with the unpacked contents (export/explored.py, export/compared.py) and records.

import { createComparedPosition } from "./compared_position.js";
import { createFigure, frameOf, markerAt } from "./figure.js";
import { createInspector } from "./inspector.js";
import { createModel } from "./model.js";
import { element } from "./dom.js";
import { filledMap } from "./quantity_map.js";
import { RunStore } from "./run_store.js";

const LINKED = ["step", "position", "quantity", "shows"];
const EMPTY_PACKING = { positions: 0, top_k: 0, stride: 0, fields: {} };

export default function start(root, page, records, { tokenCanvas, findingsList }) {
  const selection = createModel({ canvas: 0, sample: 0, step: 0, position: -1, quantity: "confidence", dark: false });
  const place = () => page.places[`${selection.get("canvas")},${selection.get("sample")}`];
  const look = () => page.looks[lookName()], lookName = () => (selection.get("dark") ? "dark" : "light");
  const compared = page.names.length > 1;
  let stores = [], scheduled = false;
  const stale = new Set();

  // Changes that come together are drawn together, once.
  function change(values) {
    for (const [name, value] of Object.entries(values)) {
      if (selection.get(name) === value) continue;
      selection.set(name, value);
      stale.add(name);
    }
    if (scheduled || !stale.size) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      const names = new Set(stale);
      stale.clear();
      draw(names);
    });
  }

  // -- views -----------------------------------------------------------------------------------------------------

  const canvases = page.names.map((title) => createModel({
    title, step: 0, position: -1, quantity: "confidence", shows: "draft", playing: false, dark: false, live: false,
    message: page.empty, packing: EMPTY_PACKING, data: null, tail: null, texts: {}, tail_texts: {}, scales: page.scales,
    differing: null, named: [], words: {},
  }));
  const canvasPlaces = canvases.map(() => element("div")), headings = canvases.map(() => element("div"));
  const head = element("header"), table = element("div"), choice = element("div", { class: "dge-choice" });
  const mapPlace = element("div", { class: "dge-panel" }), curvesPlace = element("div", { class: "dge-panel" });
  const within = (value, size) => Math.max(0, Math.min(Math.round(value), size - 1));
  const goTo = (step) => move({ step: within(step, place().steps) });
  const map = createFigure(mapPlace, (x, y) =>
    move({ position: within(x, place().positions), step: within(y, place().steps) }));
  const curves = createFigure(curvesPlace, goTo);
  const inspectors = canvases.map((_, n) =>
    createInspector({ hint: page.hint, name: compared ? `run ${page.runs[n].name}` : "", go: goTo, terms: page.terms ?? {} }));
  const sideBySide = compared ? createComparedPosition(page) : null;
  const findingsPlace = element("div"), glossary = element("div");
  glossary.innerHTML = page.glossary; // our own words
  const findings = page.findings && createModel({ ...page.findings, chosen: -1 });
  const jump = element("button", { type: "button", class: "dge-button", onclick: jumpToFirst }, "Jump to the first difference");
  const runs = canvases.map((_, n) => element("div", {}, headings[n], canvasPlaces[n]));
  const charts = element("div", { class: "dge-columns" }, element("div", {}, mapPlace), element("div", {}, curvesPlace));
  const inspected = element("div", { class: "dge-stack" }, sideBySide?.node, ...inspectors.map(({ node }) => node));

  // Set on the selection and on the canvases, which repaint at once.
  function move(values) {
    for (const [name, value] of Object.entries(values)) {
      if (LINKED.includes(name)) for (const canvas of canvases) canvas.set(name, value);
    }
    change(values);
  }

  function jumpToFirst() {
    const first = page.firsts[selection.get("sample")];
    if (first) jumpTo({ ...first, sample: selection.get("sample") });
  }

  function jumpTo({ canvas, sample, step, positions }) {
    const values = { sample };
    if (canvas !== null) values.canvas = canvas;
    const other = ["canvas", "sample"].some((name) => name in values && values[name] !== selection.get(name));
    if (other) chooseRun(values);
    if (step !== null) values.step = step;
    if (positions.length) values.position = positions[0];
    move(values);
    namePositions();
  }

  // Another canvas starts at its first step, nothing pinned; another sample keeps both as far as it has them.
  function chooseRun(values) {
    const otherCanvas = "canvas" in values && values.canvas !== selection.get("canvas");
    for (const canvas of canvases) canvas.set("playing", false);
    change(values);
    load();
    move(otherCanvas ? { step: 0, position: -1 } : { step: within(selection.get("step"), Math.max(1, place().steps)) });
  }

  function namePositions() {
    const found = findings && page.findings.places[findings.get("chosen")];
    const here = found && found.canvas === selection.get("canvas") && found.sample === selection.get("sample");
    canvases[0].set("named", here ? found.positions : []);
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  const bytesAt = ([from, to]) => new Uint8Array(records, from, to - from);

  // The chosen run, or runs, into the canvases and stores.
  function load() {
    const shown = place()?.runs ?? [];
    stores = canvases.map((canvas, n) => {
      const run = shown[n];
      const there = run
        ? { ...run, data: bytesAt(run.data), differing: bytesAt(run.differing), texts: page.traces[run.trace].texts }
        : { packing: EMPTY_PACKING, data: null, differing: null, texts: {}, words: {}, message: page.empty };
      for (const name of ["packing", "data", "differing", "texts", "words", "message"]) canvas.set(name, there[name]);
      return run ? new RunStore(run.packing, [there.data], there.texts, there.differing, run.words) : null;
    });
    namePositions();
  }

  function mapMarks() {
    const { step, position } = chosen(), [rows, columns] = place().map_size ?? [place().steps, place().positions];
    const marks = rows ? frameOf("step", [-0.5, columns - 0.5], [step - 0.5, step + 0.5], look()) : [];
    const pinned = rows && position >= 0 && position < columns;
    return pinned ? [...marks, ...frameOf("position", [position - 0.5, position + 0.5], [-0.5, rows - 0.5], look())] : marks;
  }

  const chosen = () => ({ step: selection.get("step"), position: selection.get("position"), quantity: selection.get("quantity") });

  function drawMap() {
    const { map: whole, maps } = place(), { quantity } = chosen();
    const words = page.traces[0];
    const spec = whole ? whole[lookName()] : filledMap(maps[quantity], stores[0], quantity, words, lookName(), look());
    mapPlace.dataset.quantity = whole ? "difference" : quantity;
    map.show(spec, look(), mapMarks());
  }

  function draw(names) {
    const anew = ["canvas", "sample", "dark"].some((name) => names.has(name));
    const { step, position } = chosen(), sample = selection.get("sample"), here = place();
    if (names.has("sample")) {
      head.innerHTML = page.heads[sample] ?? "";
      table.innerHTML = page.tables[sample] ?? "";
      jump.hidden = !page.firsts[sample];
    }
    document.documentElement.dataset.jpThemeLight = String(!selection.get("dark"));
    headings.forEach((heading, n) => (heading.innerHTML = here?.headings?.[n] ?? ""));
    for (const select of choice.querySelectorAll("select")) select.value = selection.get(select.name);
    const empty = !here?.steps;
    inspected.hidden = charts.hidden = empty;
    if (empty) return;
    charts.classList.toggle("dge-one", Boolean(here.strip));
    if (anew || (names.has("quantity") && !here.map)) drawMap();
    else map.mark(mapMarks());
    if (anew) curves.show(here.curves[lookName()], look(), [markerAt(step, look())]);
    else curves.mark([markerAt(step, look())]);
    inspectors.forEach((inspector, n) => inspector.show(stores[n], page.traces[n], here.runs[n], step, position));
    sideBySide?.show(canvases.map((_, n) => ({ run: here.runs[n], store: stores[n] })), step, position);
  }

  // -- the page --------------------------------------------------------------------------------------------------

  for (const [name, count] of [["canvas", page.canvases], ["sample", page.samples]]) {
    if (count < 2) continue;
    const words = name === "canvas" ? "Canvas" : "Sample", onchange = () => chooseRun({ [name]: Number(select.value) });
    const select = element("select", { name, class: "dge-select", "aria-label": words, onchange });
    for (let n = 0; n < count; n++) select.append(element("option", { value: n }, `${n} (of ${count})`));
    choice.append(element("label", {}, `${words} `, select));
  }
  choice.hidden = !choice.children.length;
  if (findings) {
    findingsList.render({ model: findings, el: findingsPlace });
    findings.on("change:chosen", () => {
      const found = page.findings.places[findings.get("chosen")];
      if (found && page.places[`${found.canvas ?? selection.get("canvas")},${found.sample}`]) jumpTo(found);
      else namePositions();
    });
  }
  load();
  for (const [n, canvas] of canvases.entries()) {
    tokenCanvas.render({ model: canvas, el: canvasPlaces[n] });
    for (const name of LINKED) {
      canvas.on(`change:${name}`, () => {
        for (const other of canvases) other.set(name, canvas.get(name));
        if (name !== "shows") change({ [name]: canvas.get(name) });
      });
    }
    canvas.on("change:playing", () => {
      if (canvas.get("playing")) for (const other of canvases) if (other !== canvas) other.set("playing", false);
    });
    canvas.on("change:dark", () => change({ dark: canvas.get("dark") }));
  }
  // Keys of the canvas work wherever nothing else has the focus.
  document.addEventListener("keydown", (event) => {
    if (event.target !== document.body || event.altKey || event.ctrlKey || event.metaKey || !place()?.steps) return;
    const last = place().steps - 1, step = selection.get("step");
    const to = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) goTo(to);
    else if (event.key === " ") canvases[0].set("playing", !canvases[0].get("playing"));
    else return;
    event.preventDefault();
  });
  root.replaceChildren(
    element("h1", { class: "dgv-aside" }, page.title),
    element("h2", { class: "dgv-aside" }, compared ? "Both runs" : "The run"), head, findingsPlace, jump, choice,
    element("div", { class: compared ? "dge-columns dge-wide" : "" }, ...runs),
    inspected, charts, table, glossary,
    element("footer", {}, `Written by dgemma_viz ${page.version}. This file holds the whole recording and asks for nothing.`),
  );
  draw(new Set(["canvas", "sample", "dark"]));
}
