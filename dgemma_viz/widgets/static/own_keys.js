// Keys that a control uses itself, kept from JupyterLab, where arrows would leave the cell and Enter edit it.

import { originOf } from "./dom.js";

const OWN = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown", "Enter", " "]);

// For as long as the page shows `root`; returns how to stop.
export function keepOwnKeys(root) {
  const keep = (event) => OWN.has(event.key) && root.contains(originOf(event)) && event.stopImmediatePropagation();
  window.addEventListener("keydown", keep, true);
  return () => window.removeEventListener("keydown", keep, true);
}
