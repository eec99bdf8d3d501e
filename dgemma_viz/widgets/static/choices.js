// What the reader has chosen, for the kernel. ipywidgets holds a change back while an earlier one is on its way, so a
// button that is pressed meanwhile overtakes it and works with what was before. A message is not held back: what was
// chosen is said once more by one as soon as the reader turns to something else. The other end is reader_choices.py.

const PRESSES = ["pointerdown", "keydown"];

export function readerChoices(model, root) {
  const names = new Set();

  function say() {
    if (names.size) model.send({ chosen: Object.fromEntries([...names].map((name) => [name, model.get(name)])) });
    names.clear();
  }

  const elsewhere = (event) => root.contains(event.target) || say();
  root.addEventListener("focusout", say);
  for (const press of PRESSES) document.addEventListener(press, elsewhere, true); // not all that is pressed takes the focus
  return {
    choose(chosen) {
      for (const [name, value] of Object.entries(chosen)) {
        names.add(name);
        model.set(name, value);
      }
      model.save_changes();
    },
    leave() {
      for (const press of PRESSES) document.removeEventListener(press, elsewhere, true);
    },
  };
}
