// What is said of the pinned position: in full for one run; for two, their numbers side by side and the rest for each.

import { createComparedPosition } from "./compared_position.js";
import { element } from "./dom.js";
import { createInspector } from "./inspector.js";

// `go(step)` is called when a step of a history is chosen.
export function createInspection(go) {
  const node = element("div", { class: "dge-stack" });
  let inspectors = [], sideBySide = null;

  function open({ hint = "", runs = [] }) {
    const names = runs.length > 1 ? runs.map(({ name }) => `run ${name}`) : [""];
    inspectors = names.map((name) => createInspector({ hint, name, go }));
    sideBySide = runs.length > 1 ? createComparedPosition({ hint, runs }) : null;
    node.replaceChildren(...[sideBySide?.node, ...inspectors.map((inspector) => inspector.node)].filter(Boolean));
  }

  function show(place, stores, { step, position }) {
    inspectors.forEach((inspector, n) => inspector.show(stores[n], place.runs[n], step, position));
    sideBySide?.show(place.runs.map((run, n) => ({ run, store: stores[n] })), step, position);
  }
  return { node, open, show };
}
