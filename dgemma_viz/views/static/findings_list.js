// A list of findings, worst first. Choosing one opens its evidence and tells the model.
// Texts are set as text, never as HTML.

import { element, focusedBeside, originOf } from "./dom.js";

const SEVERITY_MARKS = { error: "✕", warning: "▲", note: "○" };

export function renderFindings(model, el) {
  const heading = element("span", { class: "dgf-summary" });
  const list = element("ol", { class: "dgf-list" });
  const remark = element("p", { class: "dgf-remark" });
  const root = element(
    "section",
    { class: "dgf", "aria-label": "Findings" },
    element("h3", { class: "dgf-head" }, "Findings", heading, element("span", { class: "dgf-tag" }, "derived")),
    list,
    remark,
  );
  let buttons = [];

  function choose(index) {
    model.set("chosen", model.get("chosen") === index ? -1 : index);
  }

  function details(entry) {
    const numbers = entry.evidence.map(([name, value]) => element("li", {}, `${name} `, element("b", {}, value)));
    return element(
      "div",
      { class: "dgf-details" },
      element("p", {}, element("b", {}, "Try: "), entry.remedy),
      element("ul", { class: "dgf-evidence", "aria-label": "Evidence" }, ...numbers),
    );
  }

  function draw() {
    const chosen = model.get("chosen"), focused = buttons.indexOf(focusedBeside(root));
    buttons = [];
    const items = model.get("entries").map((entry, index) => {
      const button = element(
        "button",
        { type: "button", class: "dgf-finding", "aria-expanded": String(index === chosen) },
        element("span", { class: "dgf-mark", "aria-hidden": "true" }, SEVERITY_MARKS[entry.severity]),
        element("span", { class: "dgf-severity" }, entry.severity),
        element("b", {}, entry.rule),
        element("span", { class: "dgf-where" }, entry.where),
        element("span", { class: "dgf-what" }, entry.what),
      );
      button.addEventListener("click", () => choose(index));
      buttons.push(button);
      const parts = index === chosen ? [button, details(entry)] : [button];
      return element("li", { class: `dgf-${entry.severity}${index === chosen ? " dgf-chosen" : ""}` }, ...parts);
    });
    list.replaceChildren(...items);
    list.hidden = !items.length;
    heading.textContent = model.get("summary");
    remark.textContent = model.get("remark");
    remark.hidden = !model.get("remark");
    if (focused >= 0) buttons[Math.min(focused, buttons.length - 1)]?.focus({ preventScroll: true });
  }

  // Kept from JupyterLab, where Enter would edit the notebook cell and arrows leave it.
  function onKey(event) {
    const index = buttons.indexOf(focusedBeside(root));
    if (index < 0 || !root.contains(originOf(event))) return;
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      buttons[Math.max(0, Math.min(buttons.length - 1, to))].focus();
    }
    if (to !== undefined || event.key === "Enter" || event.key === " ") event.stopImmediatePropagation();
  }

  const names = ["entries", "chosen", "summary", "remark"].map((name) => `change:${name}`);
  for (const name of names) model.on(name, draw);
  window.addEventListener("keydown", onKey, true);
  draw();
  el.append(root);
  return () => {
    for (const name of names) model.off(name, draw);
    window.removeEventListener("keydown", onKey, true);
  };
}
