// The tokens themselves: one cell per position, made once and repainted in place; focus, keys and clicks among them.

import { shadeOf } from "./colour.js";
import { element, originOf } from "./dom.js";
import { DECISIONS } from "./run_store.js";

const LONGEST = 14;
const LED = /^␣[^␣]/u; // a leading space, which is drawn faintly so that words read as words

// `act.pin(position)`, `act.point(cell, position)` and `act.leave()` tell what the reader does.
export function createTokenGrid(act) {
  let cells = [], current = 0, pinned = -1, named = new Set();
  const node = element("div", { class: "dgv-tokens", role: "listbox", "aria-label": "Tokens of the canvas" });

  function resize(positions, characters) {
    if (cells.length !== positions) {
      cells = Array.from({ length: positions }, (_, position) => {
        const text = document.createTextNode(""), label = element("span", { class: "dgv-text" }, text);
        const cell = element("div", { role: "option", tabindex: -1, "data-position": position }, label);
        return { cell, label, text, words: null, led: false, shade: null, masked: false };
      });
      node.replaceChildren(...cells.map(({ cell }) => cell));
      current = 0;
      roam(0);
    }
    node.style.setProperty("--dgv-characters", characters);
  }

  // Only what differs from the shown step touches the document.
  function paint({ texts, shares, shades, decision, changed, takenBack, differs, masked, outside }) {
    for (const [position, entry] of cells.entries()) {
      const words = texts[position];
      if (entry.words !== words) {
        entry.words = words;
        entry.led = LED.test(words);
        const shown = entry.led ? words.slice(1) : words;
        entry.text.data = shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown;
      }
      const shade = Number.isNaN(shares[position]) ? null : shadeOf(shades, shares[position]);
      if (entry.shade !== shade) {
        entry.shade = shade;
        entry.label.style.background = shade ? shade.background : "";
        entry.label.style.color = shade ? shade.text : "";
      }
      const name = [
        "dgv-token", `dgv-${DECISIONS[decision[position]]}`, changed[position] ? "dgv-changed" : "",
        masked[position] ? "dgv-masked" : "", outside.has(position) ? "dgv-outside" : "",
        takenBack[position] ? "dgv-taken-back" : "", differs?.[position] ? "dgv-differs" : "",
        entry.led ? "dgv-led" : "", position === pinned ? "dgv-pinned" : "", named.has(position) ? "dgv-named" : "",
      ].filter(Boolean).join(" ");
      if (entry.cell.className !== name) entry.cell.className = name;
      if (entry.masked !== masked[position]) {
        entry.masked = masked[position];
        if (entry.masked) entry.cell.setAttribute("aria-label", "mask");
        else entry.cell.removeAttribute("aria-label");
      }
    }
  }

  function pin(position) {
    pinned = position;
    for (const [p, { cell }] of cells.entries()) {
      cell.classList.toggle("dgv-pinned", p === position);
      cell.setAttribute("aria-selected", String(p === position));
    }
    if (position >= 0) roam(position);
  }

  // Positions that something else on the page speaks of.
  function mark(positions) {
    named = new Set(positions);
    for (const [p, { cell }] of cells.entries()) cell.classList.toggle("dgv-named", named.has(p));
    return cells.map((_, p) => (named.has(p) ? 1 : 0));
  }

  // Roving tabindex: one token is in the tab order, arrows move it.
  function roam(position, focus = false) {
    if (!cells.length) return;
    cells[current]?.cell.setAttribute("tabindex", "-1");
    current = Math.max(0, Math.min(cells.length - 1, position));
    cells[current].cell.setAttribute("tabindex", "0");
    if (focus) cells[current].cell.focus();
  }

  const positionOf = (event) => {
    const cell = originOf(event).closest?.(".dgv-token");
    return cell ? Number(cell.dataset.position) : null;
  };
  const columns = () => {
    const second = cells.findIndex(({ cell }) => cell.offsetTop !== cells[0].cell.offsetTop);
    return second < 0 ? cells.length : second;
  };
  const point = (event) => {
    const position = positionOf(event);
    if (position === null) act.leave();
    else act.point(cells[position].cell, position);
  };

  node.addEventListener("click", (event) => {
    const position = positionOf(event);
    if (position === null) return;
    roam(position, true);
    act.pin(position);
    act.leave();
  });
  node.addEventListener("pointerover", point);
  node.addEventListener("pointerleave", act.leave);
  node.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && point(event));
  node.addEventListener("focusout", act.leave);

  function onKey(event) {
    const position = positionOf(event);
    if (position === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const targets = {
      ArrowLeft: position - 1, ArrowRight: position + 1, ArrowUp: position - columns(),
      ArrowDown: position + columns(), Home: 0, End: cells.length - 1,
    };
    if (event.key in targets) {
      if (targets[event.key] >= 0 && targets[event.key] < cells.length) roam(targets[event.key], true);
    } else if (event.key === "Enter") act.pin(position);
    else if (event.key === "Escape") act.leave();
    else return;
    event.preventDefault();
  }

  return { node, resize, paint, pin, mark, onKey };
}
