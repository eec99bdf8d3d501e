// One position of two runs at one step: its numbers side by side.

import { element } from "./dom.js";
import { positionRows } from "./position_rows.js";

const NOTHING = "–"; // a row that only the other run has

// `runs`: name and glyph of both.
export function createComparedPosition({ hint, runs }) {
  const node = element("div", { class: "dgc" });
  const cell = (text) => element("td", {}, text);

  // `shown`: what positionRows() needs, for both runs; a step beyond the end of a run shows its last one.
  function show(shown, wanted, position) {
    if (!shown.every(({ store }) => store?.steps && position >= 0 && position < store.positions)) {
      node.replaceChildren(element("div", { class: "dgx-inspector" }, element("p", { class: "dgx-empty" }, hint)));
      return;
    }
    const columns = shown.map(({ run, store }) => {
      const step = Math.min(wanted, store.steps - 1);
      return [{ name: "at step", text: String(step), source: "measured" }, ...positionRows(run, store, step, position)];
    });
    const sources = new Map(columns.flat().map(({ name, source }) => [name, source]));
    const rows = [...sources].map(([name, source]) => {
      const [a, b] = columns.map((column) => column.find((row) => row.name === name)?.text ?? NOTHING);
      return element("tr", { class: a === b ? "" : "dgc-changed" }, element("th", { scope: "row" }, name), cell(a), cell(b),
        element("td", {}, element("span", { class: "dgx-tag" }, source)));
    });
    const heads = runs.map(({ name, glyph }) => element("th", { scope: "col" },
      element("span", { class: `dgc-${name.toLowerCase()}`, "aria-hidden": "true" }, glyph), ` ${name}`));
    const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "≠ differs"), ...heads, element("td")));
    node.replaceChildren(element("table", {}, element("caption", {}, `Position ${position}`), head, element("tbody", {}, ...rows)));
  }
  return { node, show };
}
