// Tokens of one step as buttons that a reader marks (token_marks.py): pressed is marked. What the sampler did comes from
// Python only once the reader has answered; then each token says which of the two it was.

import { readerChoices } from "./choices.js";
import { ramp, shadeOf } from "./colour.js";
import { element, originOf, setText } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";
import { watchTheme } from "./page_theme.js";
import { labelOf } from "./token_label.js";

const VERDICTS = {
  hit: ["✓", "hit: marked and accepted"], missed: ["○", "missed: accepted, not marked"],
  wrong: ["✗", "wrongly marked: not accepted"], left: ["", "not accepted, and not marked"],
};
const verdictOf = (marked, accepted) => (accepted ? (marked ? "hit" : "missed") : marked ? "wrong" : "left");

function render({ model, el }) {
  const tokens = model.get("tokens");
  let dark = false, current = 0;
  const cells = tokens.map(({ position, text }, n) => {
    const { words, led } = labelOf(text), label = element("span", { class: "dgv-text" }, words);
    const button = element(
      "button",
      {
        type: "button", class: `dgv-token dgk-token ${led ? "dgv-led" : ""}`, tabindex: n ? -1 : 0, "data-position": position,
        title: text, onclick: () => toggle(n),
      },
      label,
    );
    return { button, label, words, position };
  });
  const longest = Math.max(2, ...cells.map(({ words }) => words.length));
  const named = { role: "group", "aria-label": model.get("title") };
  const grid = element("div", { class: "dgv-tokens dgv-grid", ...named }, ...cells.map(({ button }) => button));
  grid.style.setProperty("--dgv-characters", longest + 1);
  const scale = element("span", { class: "dgv-scale" }), count = element("span", { class: "dgk-count", role: "status" });
  const source = element("span", { class: "dgv-tag" }, "measured");
  const shaded = element("span", { class: "dgv-key" }, "confidence 0", scale, "1", source);
  const signs = Object.values(VERDICTS).filter(([sign]) => sign);
  const keys = signs.map(([sign, words]) => element("span", { class: "dgv-key" }, element("b", {}, sign), words));
  const verdicts = element("span", { class: "dgk-verdicts" }, ...keys);
  const legend = element("div", { class: "dgv-legend" }, count, shaded, verdicts);
  const root = element("div", { class: "dgv dgk" }, legend, grid), row = model.get("row");
  root.classList.toggle("dgv-in-rows", row > 0);
  root.style.setProperty("--dgv-row", row);
  const choices = readerChoices(model, root);

  function toggle(n) {
    const { position } = cells[n], marked = new Set(choices.get("marked"));
    if (!marked.delete(position)) marked.add(position);
    roam(n);
    choices.choose({ marked: [...marked].sort((a, b) => a - b) });
  }

  function draw() {
    const marked = new Set(choices.get("marked")), accepted = model.get("accepted"), answered = model.get("answered");
    const kept = new Set(accepted), stops = model.get("scales")[dark ? "dark" : "light"], shades = ramp(stops);
    for (const [n, { button, label, position }] of cells.entries()) {
      const { text, share } = tokens[n], on = marked.has(position), verdict = answered ? verdictOf(on, kept.has(position)) : "";
      const told = share === null ? "" : `, confidence ${share.toFixed(2)}`;
      button.setAttribute("aria-pressed", String(on));
      button.setAttribute("aria-label", `${text}, position ${position}${told}${verdict ? `, ${VERDICTS[verdict][1]}` : ""}`);
      button.dataset.verdict = verdict;
      button.dataset.sign = verdict ? VERDICTS[verdict][0] : on ? "✓" : "";
      const shade = share === null ? null : shadeOf(shades, share);
      label.style.background = shade ? shade.background : "";
      label.style.color = shade ? shade.text : "";
    }
    scale.style.background = `linear-gradient(to right, ${stops.join()})`;
    shaded.hidden = tokens.every(({ share }) => share === null);
    verdicts.hidden = !answered;
    setText(count, `${marked.size} of ${cells.length} marked`);
    root.classList.toggle("dgv-dark", dark);
  }

  // One token is in the tab order; arrows go to the others, as in the token canvas.
  function roam(n, focus = false) {
    cells[current].button.tabIndex = -1;
    current = Math.max(0, Math.min(cells.length - 1, n));
    cells[current].button.tabIndex = 0;
    if (focus) cells[current].button.focus();
  }

  // The nearest token of the line above (-1) or below (1).
  function beside(from, way) {
    const boxOf = (n) => cells[n].button.getBoundingClientRect(), here = boxOf(from);
    for (let n = from + way; n >= 0 && n < cells.length; n += way) {
      const box = boxOf(n);
      if (Math.abs(box.left - here.left) < 2 && Math.abs(box.top - here.top) > 4) return n;
    }
    return from;
  }

  function onKey(event) {
    const n = cells.findIndex(({ button }) => button === originOf(event).closest?.("button"));
    if (n < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const targets = {
      ArrowLeft: () => n - 1, ArrowRight: () => n + 1, ArrowUp: () => beside(n, -1), ArrowDown: () => beside(n, 1),
      Home: () => 0, End: () => cells.length - 1,
    };
    if (!(event.key in targets)) return;
    event.preventDefault();
    roam(targets[event.key](), true);
  }

  const heard = ["marked", "accepted", "answered"];
  for (const name of heard) model.on(`change:${name}`, draw);
  el.append(root);
  draw();
  const unwatch = watchTheme(el, (now) => {
    dark = now;
    draw();
  });
  window.addEventListener("keydown", onKey, true); // before those keys are kept from all others
  const leave = keepOwnKeys(root);
  return () => {
    leave();
    window.removeEventListener("keydown", onKey, true);
    unwatch();
    choices.leave();
    for (const name of heard) model.off?.(`change:${name}`, draw);
  };
}

export default { render };
