// What is said of the pinned position: in full for one run; for two, their numbers side by side and the rest for each.

import { createComparedPosition } from "./compared_position.js";
import { element } from "./dom.js";
import { createInsidePanel } from "./inside_panel.js";
import { createInspector } from "./inspector.js";

// `go(step)` is called when a step of a history is chosen, `goInside({ canvas, sample, step })` for one that was looked into.
export function createInspection(go, goInside) {
  const node = element("div", { class: "dge-stack" });
  const inside = createInsidePanel(goInside);
  let inspectors = [], sideBySide = null;

  function open({ hint = "", runs = [] }) {
    const names = runs.length > 1 ? runs.map(({ name }) => `run ${name}`) : [""];
    inspectors = names.map((name) => createInspector({ hint, name, go }));
    sideBySide = runs.length > 1 ? createComparedPosition({ hint, runs }) : null;
    node.replaceChildren(...[sideBySide?.node, ...inspectors.map((inspector) => inspector.node), inside.node].filter(Boolean));
  }

  function show(place, stores, { canvas, sample, step, position }) {
    inspectors.forEach((inspector, n) => inspector.show(stores[n], place.runs[n], step, position));
    sideBySide?.show(place.runs.map((run, n) => ({ run, store: stores[n] })), step, position);
    inside.show(place, { canvas, sample, step, position });
  }
  return { node, open, show };
}
