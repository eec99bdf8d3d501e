// The layout of equal cells, one a position: each token's text made visible, and cut where it is long.

import { createTokenCells } from "./token_cells.js";
import { labelOf } from "./token_label.js";

const MASK = "▒"; // fits the narrowest cell; a screen reader is told "mask"

function writeCells(cells, { ids, masked, store }) {
  for (const [position, entry] of cells.entries()) {
    const { words, led } = labelOf(masked[position] ? MASK : store.text(ids[position]));
    entry.words = words;
    entry.extra = led ? "dgv-led" : "";
    entry.said = null;
  }
}

function colourCell(style, shade) {
  style.background = shade ? shade.background : "";
  style.color = shade ? shade.text : "";
}

export const createTokenGrid = (act) => createTokenCells({ name: "grid", write: writeCells, colour: colourCell }, act);
