// The layout of equal cells, one a position: each token's text made visible, and cut where it is long.

import { createTokenCells } from "./token_cells.js";

const LONGEST = 14;
const LED = /^␣[^␣]/u; // a leading space, which is drawn faintly so that words read as words
const MASK = "▒"; // fits the narrowest cell; a screen reader is told "mask"

function writeCells(cells, { ids, masked, store }) {
  for (const [position, entry] of cells.entries()) {
    const text = masked[position] ? MASK : store.text(ids[position]), led = LED.test(text);
    const shown = led ? text.slice(1) : text;
    entry.words = shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown;
    entry.extra = led ? "dgv-led" : "";
    entry.said = null;
  }
}

function colourCell(style, shade) {
  style.background = shade ? shade.background : "";
  style.color = shade ? shade.text : "";
}

export const createTokenGrid = (act) => createTokenCells({ name: "grid", write: writeCells, colour: colourCell }, act);
