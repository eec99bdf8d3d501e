// The token canvas of each run, one or two, that step, pin and play together.

import { element } from "./dom.js";
import { createModel } from "./model.js";
import { RunStore } from "./run_store.js";
import { renderTokenCanvas } from "./token_canvas.js";

export const EMPTY_RUN = {
  packing: { positions: 0, top_k: 0, stride: 0, fields: {} }, data: null, differing: null, texts: {}, words: {}, message: "",
};

export const LINKED = ["step", "position", "quantity", "shows", "token_layout", "playing"];
const OF_A_RUN = ["packing", "data", "differing", "texts", "words", "message"];

// `changed(name, value)` is told what changes in a canvas; `keys` as renderTokenCanvas() takes them.
export function createRunViews({ keys, changed }) {
  const node = element("div");
  let canvases = [], closers = [], headings = [], papers = [], stores = [], scales = null, dark = false;

  // As many canvases as there are names; those that are there already stay.
  function open(names, colours) {
    scales = colours ?? scales;
    const same = names.join() === canvases.map((canvas) => canvas.get("title")).join();
    if (same) return canvases.forEach((canvas) => canvas.put({ scales, named: [], named_by: "" }));
    close();
    canvases = names.map((title) => createModel({
      title, token_layout: "grid", step: 0, position: -1, quantity: "confidence", shows: "draft", playing: false, dark, live: false,
      tail: null, tail_texts: {}, scales, named: [], named_by: "", ...EMPTY_RUN,
    }));
    headings = names.map(() => element("div"));
    const places = names.map(() => element("div"));
    node.className = names.length > 1 ? "dge-columns dge-wide" : "";
    node.replaceChildren(...names.map((_, n) => element("div", {}, headings[n], places[n])));
    papers = names.map(() => element("div", { class: "dgv-paper" }));
    closers = canvases.map((canvas, n) => renderTokenCanvas(canvas, places[n], keys, papers[n]));
    for (const canvas of canvases) for (const name of LINKED) canvas.on(`change:${name}`, () => moved(canvas, name));
    return null;
  }

  // Only one of the canvases plays; the others follow its steps.
  function moved(canvas, name) {
    const value = canvas.get(name);
    if (name === "playing" && !value && canvases.some((other) => other.get("playing"))) return;
    for (const other of canvases) {
      if (name !== "playing") other.set(name, value);
      else if (value && other !== canvas) other.set("playing", false);
    }
    changed(name, value);
  }

  // `runs`: of a place, as readPlace() gives them, null where a trace has none.
  function show(runs, place, empty) {
    stores = canvases.map((canvas, n) => {
      const run = runs[n], missing = place?.missing?.[n] ?? empty ?? "";
      const there = run ? Object.fromEntries(OF_A_RUN.map((name) => [name, run[name]])) : { ...EMPTY_RUN, message: missing };
      canvas.put({ ...there, live: false, tail: null, tail_texts: {} });
      return run ? new RunStore(run.packing, [run.data], run.texts, run.differing, run.words) : null;
    });
    headings.forEach((heading, n) => (heading.innerHTML = place?.headings?.[n] ?? ""));
  }

  function put(values) {
    if ("dark" in values) dark = values.dark;
    for (const [name, value] of Object.entries(values)) {
      if (name === "playing") play(value);
      else for (const canvas of canvases) canvas.set(name, value);
    }
  }

  function play(on) {
    if (!on) for (const canvas of canvases) canvas.set("playing", false);
    else if (!canvases.some((canvas) => canvas.get("playing"))) canvases[0]?.set("playing", true);
  }

  // A run that still grows, in the first canvas; `grown` holds what changes of it.
  function live(grown) {
    if (grown) canvases[0].put({ ...EMPTY_RUN, ...grown });
  }

  // Positions of each run that something else on the page speaks of, and what that is.
  function name(positions, by = "") {
    canvases.forEach((canvas, n) => {
      const named = positions[n] ?? [], same = named.join() === canvas.get("named").join();
      canvas.put({ named_by: by, ...(!same && { named }) });
    });
  }

  function close() {
    for (const leave of closers) leave();
    closers = [];
    canvases = [];
    node.replaceChildren();
  }
  return { node, open, show, put, live, close, name, stores: () => stores, paper: () => papers[0] };
}
