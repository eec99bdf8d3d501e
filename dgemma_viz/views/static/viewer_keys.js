// The keys of the whole viewer; those of its parts come first, where they have the focus.

import { originOf } from "./dom.js";

// `acts`: `fold()`, `copy()`, `turn(by)` to another canvas, `go(to)` a step and `play()`; each tells whether it did something.
// `ownsPage`: the keys of steps work where nothing has the focus, too. Returns a function that stops listening.
export function listenToKeys(node, ownsPage, acts) {
  const anywhere = { v: acts.fold, l: acts.copy };
  const within = { PageUp: () => acts.turn(-1), PageDown: () => acts.turn(1) };
  const onPage = {
    ArrowLeft: () => acts.go("previous"), ArrowRight: () => acts.go("next"), Home: () => acts.go("first"), End: () => acts.go("last"),
    " ": acts.play,
  };

  // Kept from JupyterLab, whose command mode has keys of its own.
  function onKey(event) {
    const at = originOf(event), free = ownsPage && at === document.body;
    if (!(free || node.contains(at)) || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (at.closest("input:not([type=range]), textarea")) return;
    const act = anywhere[event.key] ?? (free ? onPage : within)[event.key];
    if (!act?.()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
