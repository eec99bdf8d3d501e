// The keys as a table that folds; ? opens and closes it.

import { element } from "./dom.js";

const KEYS = [
  ["← →, or , .", "step back, step forward"],
  ["Home, End", "first step, last step"],
  ["Space", "play, pause"],
  ["Tab to the tokens, then arrows, Home, End", "go from token to token; its alternatives show beside it"],
  ["Enter", "in the tokens: pin the token, or let it go. Pinned, it is what a click in a map selects"],
  ["f", "in the tokens: fold away the channel, or the end, that the token is in, or unfold it (so does Enter)"],
  ["Escape", "hide the alternatives"],
  ["t", "text as it reads, or equal cells"],
];
const LAST = ["?", "show or hide these keys"];

// `more`: keys of the page around the canvas.
export function createKeysHelp(more = []) {
  const rows = [...KEYS, ...more, LAST].map(([keys, what]) => element("tr", {}, element("th", { scope: "row" }, keys), element("td", {}, what)));
  const summary = element("summary", {}, "Keyboard (?)");
  const table = element("table", { "aria-label": "Keys of the token canvas" }, element("tbody", {}, ...rows));
  const node = element("details", { class: "dgv-keys" }, summary, table);

  function onKey(event) {
    if (event.key !== "?" || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    node.open = !node.open;
    if (node.open) summary.focus();
    event.preventDefault();
  }
  return { node, onKey };
}
