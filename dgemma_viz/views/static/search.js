// Search: a text or a token over all steps of a run, in each canvas of the chosen sample, and in both of two runs. It
// begins with the canvas that is looked at and goes on from there, round to the one before; the page stays free meanwhile.

import { element, focusedBeside, originOf, setText } from "./dom.js";
import { findOccurrences, readWanted, SEEN_IN } from "./occurrences.js";
import { RunStore } from "./run_store.js";
import { createSearchResults } from "./search_results.js";

const TYPING_REST = 200; // ms without another letter before the search begins
const REDRAWN = 300; // ms between two looks at what was found so far
const MOST_LISTED = 100;
const TEXTS_SHOWN = ["draft", "candidate", "noised"];
const NOWHERE = "Found nowhere: in no draft, candidate, noised canvas or alternative that was recorded.";
const SEARCH_HINT = "A text, with its spaces, or a token by its id, as #1234.";
const OF_ONE = "The chosen sample is searched.";
export const SEARCH_KEY = ["/", "search; there, Enter goes to the next place, Shift+Enter to the one before, Escape closes"];

const pause = () => new Promise((resolve) => setTimeout(resolve));
const storeOf = (run) => new RunStore(run.packing, [run.data], run.texts, run.differing, run.words);
// Those that stood first, then alternatives, then noise; each in the order in which canvases are searched.
const rankOf = ({ stands, best }) => (stands ? 0 : best ? 1 : 2);
const byRank = (a, b) => rankOf(a) - rankOf(b) || a.turn - b.turn || a.run - b.run || a.start - b.start;
const positionsOf = ({ start, end }) => Array.from({ length: end - start + 1 }, (_, n) => start + n);

// `root`: the viewer, which has `tokens` in it; `state`, `host` and `page()` as in viewer.js. `go(found, more)` goes to
// canvas, step and positions, with `more` of the state; `named()` is told when found() changes.
export function createSearch({ root, tokens, state, host, page, go, named }) {
  let wanted = null, running = null, found = [], listed = [], problems = [], seen = 0; // of the words that are searched for
  let chosen = null, move = 0, before = null, typing = null, lent = null; // a `move` waits for the first that is found

  const field = element("input", {
    type: "search", class: "dgq-field", "aria-label": "Find over all steps", placeholder: "Find over all steps  ( / )",
    autocomplete: "off", spellcheck: "false", oninput: () => later(TYPING_REST),
  });
  const exact = element("input", { type: "checkbox", onchange: () => later(0) });
  const button = (words, label, onclick) => element("button", { type: "button", class: "dge-button", "aria-label": label, onclick }, words);
  const bar = element("span", { class: "dgq-bar", hidden: true },
    button("↑", "Previous place", () => step(-1)), button("↓", "Next place", () => step(1)),
    element("label", { title: "Upper and lower case, and how accents are written, count" }, exact, " exact"),
    button("Close", "Close the search", () => close()));
  const count = element("span", { class: "dgq-count" }), spoken = element("div", { class: "dgv-aside", role: "status" });
  const results = createSearchResults((place, at) => visit(place, at));
  const node = element("section", { class: "dgq", role: "search", "aria-label": "Search" },
    element("div", { class: "dgq-line" }, field, bar, count), results.node, spoken);

  // -- searching -------------------------------------------------------------------------------------------------

  function later(wait) {
    clearTimeout(typing);
    typing = setTimeout(begin, wait);
  }

  async function begin() {
    clearTimeout(typing);
    typing = null;
    wanted = readWanted(field.value, exact.checked);
    const asked = (running = wanted && {}), sample = state.get("sample"), from = state.get("canvas"), { canvases } = page();
    [found, listed, problems, seen] = [[], [], [], 0];
    chosen = null;
    if (!asked) return draw();
    let drawn = -Infinity;
    for (let turn = 0; turn < canvases; turn++) {
      const canvas = (from + turn) % canvases, problem = await look({ canvas, sample, turn }, asked).catch(({ message }) => message);
      if (asked !== running) return;
      if (problem) problems.push(`Canvas ${canvas} could not be searched: ${problem}`);
      seen += 1;
      if (performance.now() - drawn > REDRAWN && seen < canvases) {
        draw();
        drawn = performance.now();
      }
      await pause();
      if (asked !== running) return;
    }
    running = null;
    draw();
  }

  async function look(where, asked) {
    const { runs } = await host.places().place(where.canvas, where.sample);
    for (const [run, packed] of runs.entries()) {
      if (!packed || asked !== running) continue;
      const here = findOccurrences(storeOf(packed), wanted);
      found.push(...here.map((one) => ({ ...one, ...where, run })));
      if (runs.length > 1) await pause();
    }
  }

  // -- going there -----------------------------------------------------------------------------------------------

  // The tokens show another text of a step where the one that the reader has chosen does not have it, for as long as that.
  function textThatHas(flags) {
    const now = state.get("shows"), own = now === lent?.text ? lent.own : now;
    const text = [own, ...TEXTS_SHOWN].find((name) => flags & SEEN_IN[name]) ?? own;
    lent = text === own ? null : { text, own };
    return text;
  }

  function visit(place, at) {
    chosen = place;
    go({ canvas: place.canvas, sample: place.sample, step: at, positions: positionsOf(place) }, { shows: textThatHas(place.steps[at]) });
    results.mark(place);
    tellCount();
    named();
    reveal(place);
  }

  // Once the place is drawn: its token comes into view, below what is found.
  async function reveal(place) {
    await host.places().place(place.canvas, place.sample).catch(() => null); // the viewer says what went wrong
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    const cell = tokens.querySelectorAll(".dgv")[place.run]?.querySelector(`.dgv-named[data-position="${place.start}"]`);
    if (!cell || chosen !== place) return;
    cell.style.scrollMargin = `${node.offsetHeight + 24}px 0 24px`;
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // The next place, or the one before; while nothing is listed yet, once something is.
  function step(way) {
    if (typing) begin();
    move = listed.length ? 0 : way;
    if (move) return;
    const at = listed.indexOf(chosen), begun = at >= 0 || way < 0;
    const next = listed[begun ? (Math.max(at, 0) + way + listed.length) % listed.length : 0];
    visit(next, next.shownAt);
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  function draw() {
    const { canvases, runs = [] } = page(), open = Boolean(field.value) || node.contains(focusedBeside(node));
    const names = runs.length > 1 ? runs.map(({ name }) => `Run ${name}`) : [""];
    const none = !wanted ? (page().samples > 1 ? `${SEARCH_HINT} ${OF_ONE}` : SEARCH_HINT) : running ? "" : NOWHERE;
    listed = found.sort(byRank).slice(0, MOST_LISTED);
    results.draw({ found, listed, names, canvases, said: [found.length ? "" : none, ...problems.slice(0, 1)].join(" ").trim() });
    results.mark(chosen);
    named();
    node.classList.toggle("dgq-open", open);
    bar.hidden = results.node.hidden = !open;
    tellCount();
    if (!running) setText(spoken, wanted ? results.said() : "");
    if (move && listed.length) step(move);
    if (!running) move = 0;
  }

  function tellCount() {
    const of = page().canvases === 1 ? "one canvas" : `${page().canvases} canvases`, at = listed.indexOf(chosen);
    setText(count, [at >= 0 ? `place ${at + 1} of ${found.length}` : "", running ? `searched ${seen} of ${of}` : ""].filter(Boolean).join(" · "));
  }

  // Positions that are marked, for each run: all at which the shown text of the step has it, and those of the chosen place.
  function marked() {
    const [canvas, sample, step, shows] = ["canvas", "sample", "step", "shows"].map(state.get);
    const flags = ({ steps }) => steps[Math.min(step, steps.length - 1)], end = ({ ends }) => ends[Math.min(step, ends.length - 1)];
    const here = found.filter((place) => place.canvas === canvas && place.sample === sample);
    const has = (place) => flags(place) & SEEN_IN[shows];
    const at = (place) => positionsOf({ ...place, end: has(place) ? end(place) : place.end });
    return [0, 1].map((run) => here.filter((place) => place.run === run && (place === chosen || has(place))).flatMap(at));
  }
  const moved = () => found.length && named();

  // -- coming and leaving ----------------------------------------------------------------------------------------

  function enter(event, at) {
    const within = root.contains(at) || (host.ownsPage && at === document.body);
    if (event.key !== "/" || event.defaultPrevented || !within || at.closest("input:not([type=range]), textarea")) return;
    field.focus();
    field.select();
    keep(event);
  }

  function close() {
    [field.value, move] = ["", 0];
    focusedBeside(node)?.blur();
    begin();
    if (lent) state.put({ shows: textThatHas(0) });
    if (before?.isConnected) before.focus({ preventScroll: true });
  }

  // Heard before the notebook around, and kept from it, as are letters that are typed.
  function onKey(event) {
    const at = originOf(event), { key } = event;
    if (node.hidden || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (!node.contains(at)) enter(event, at);
    else if (key === "Escape") keep(event, close());
    else if (at === field && key === "Enter") keep(event, step(event.shiftKey ? -1 : 1));
    else if ((at === field && key === "ArrowDown" && results.focus()) || results.onKey(event, at, () => field.focus())) keep(event);
    else if (at === field || key === "Enter" || key === " ") event.stopImmediatePropagation();
  }
  function keep(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  // Another trace, or another sample.
  function anew() {
    if (field.value) begin();
  }
  function stop() {
    clearTimeout(typing);
    running = {};
    window.removeEventListener("keydown", onKey, true);
    state.off("change:sample", anew);
    for (const name of ["change:step", "change:shows"]) state.off(name, moved);
  }

  node.addEventListener("focusin", ({ relatedTarget }) => {
    if (node.contains(relatedTarget)) return;
    before = relatedTarget;
    if (!wanted) draw();
  });
  node.addEventListener("focusout", ({ relatedTarget }) => !wanted && !node.contains(relatedTarget) && draw());
  window.addEventListener("keydown", onKey, true);
  state.on("change:sample", anew);
  for (const name of ["change:step", "change:shows"]) state.on(name, moved);
  return { node, anew, stop, found: marked };
}
