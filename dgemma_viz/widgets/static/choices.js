// What the reader has chosen, for the kernel. ipywidgets holds a change back while an earlier one is on its way, so a
// button that is pressed meanwhile overtakes it and works with what was before. A message is not held back: what was
// chosen is said once more by one as soon as the reader turns to something else. The other end is reader_choices.py.

import { originOf } from "./dom.js";

const PRESSES = ["pointerdown", "keydown"];

export function readerChoices(model, root) {
  const names = new Set(), waiting = new Map();
  let saving = null;

  function save() {
    clearTimeout(saving);
    saving = null;
    waiting.clear();
    model.save_changes();
  }

  // What waits to be sent holds no longer: Python shows something else. ipywidgets keeps what was set for its next message,
  // and there is no other way to have it forget that than to set what holds now.
  function forget() {
    clearTimeout(saving);
    saving = null;
    for (const name of waiting.keys()) {
      const now = model.get(name);
      for (const value of [null, now]) model.set(name, value, { silent: true });
      names.delete(name);
    }
    waiting.clear();
  }

  function say() {
    if (saving) save();
    if (names.size) model.send({ chosen: Object.fromEntries([...names].map((name) => [name, model.get(name)])) });
    names.clear();
  }

  const elsewhere = (event) => root.contains(originOf(event)) || say();
  root.addEventListener("focusout", say);
  for (const press of PRESSES) document.addEventListener(press, elsewhere, true); // not all that is pressed takes the focus
  return {
    forget,
    // What the reader has chosen holds until it is sent, whatever comes from Python meanwhile.
    get: (name) => (waiting.has(name) ? waiting.get(name) : model.get(name)),
    // `rest`: ms without another choice before it is sent, for what nobody waits for.
    choose(chosen, rest = 0) {
      for (const [name, value] of Object.entries(chosen)) {
        names.add(name);
        if (rest) waiting.set(name, value);
        else waiting.delete(name);
      }
      for (const [name, value] of Object.entries(chosen)) model.set(name, value); // heard at once
      clearTimeout(saving);
      if (rest) saving = setTimeout(save, rest);
      else save();
    },
    leave() {
      if (saving) save();
      for (const press of PRESSES) document.removeEventListener(press, elsewhere, true);
    },
  };
}
