// The tokens themselves: one element per position, made once and repainted in place; focus, keys and clicks among them.
// How they are laid out and what text each shows is the layout's (token_grid.js, token_text.js).

import { channelFolds } from "./channel_folds.js";
import { shadeOf } from "./colour.js";
import { element, originOf } from "./dom.js";
import { restraintClasses } from "./restraints.js";
import { DECISIONS } from "./run_store.js";

const FOLDED_FROM = 4; // tokens

// `layout`: its `name`; `write(cells, step)` puts the texts of a step into the cells; `colour(style, shade)` gives one its
// colour, or none. `act.pin(position)`, `act.point(cell, position)` and `act.leave()` tell what the reader does.
export function createTokenCells(layout, act) {
  let cells = [], current = 0, pinned = -1, named = new Set(), painted = null, folds = [], characters = 2;
  const wishes = new Map(); // folds that the reader has closed (true) or opened (false)
  const node = element("div", { class: `dgv-tokens dgv-${layout.name}`, role: "listbox", "aria-label": "Tokens of the canvas" });

  function resize(positions, width) {
    painted = null;
    characters = width;
    if (cells.length !== positions) {
      cells = Array.from({ length: positions }, (_, position) => {
        const text = document.createTextNode(""), label = element("span", { class: "dgv-text" }, text);
        const cell = element("span", { role: "option", tabindex: -1, "data-position": position }, label);
        return { cell, label, text, words: null, shade: null, name: "", said: null, extra: "" };
      });
      node.replaceChildren(...cells.map(({ cell }) => cell));
      current = 0;
      roam(0);
    }
    node.style.setProperty("--dgv-characters", characters);
  }

  // Only what differs from the shown step touches the document. A layout says of a cell: `words`, its text; `extra`,
  // classes of its own; `said`, what a screen reader is told in place of the text.
  function paint(step) {
    painted = step;
    layout.write(cells, step);
    folds = foldsOf(step);
    for (const fold of folds) writeFold(fold);
    const { shares, shades, decision, changed, takenBack, differs, masked, outside, restraints } = step;
    for (const [position, entry] of cells.entries()) {
      if (entry.text.data !== entry.words) entry.text.data = entry.words;
      const shade = Number.isNaN(shares[position]) ? null : shadeOf(shades, shares[position]);
      if (entry.shade !== shade) {
        entry.shade = shade;
        layout.colour(entry.label.style, shade);
      }
      const name = [
        "dgv-token", `dgv-${DECISIONS[decision[position]]}`, changed[position] ? "dgv-changed" : "",
        masked[position] ? "dgv-masked" : "", outside.has(position) ? "dgv-outside" : "",
        takenBack[position] ? "dgv-taken-back" : "", differs?.[position] ? "dgv-differs" : "",
        restraintClasses(restraints, position), entry.extra, position === pinned ? "dgv-pinned" : "", named.has(position) ? "dgv-named" : "",
      ].filter(Boolean).join(" ");
      if (entry.name !== name) entry.cell.className = entry.name = name;
      const said = masked[position] ? "mask" : entry.said;
      if (entry.heard === said) continue;
      entry.heard = said;
      if (said) entry.cell.setAttribute("aria-label", said);
      else entry.cell.removeAttribute("aria-label");
    }
  }

  // Neighbouring tokens that can be shown as one mark: a channel, and what ends the answer or fills it, with nothing else
  // behind it but the same token again. One that is looked at stays open, unless the reader closes it.
  function foldsOf(step) {
    const { ids, store } = step;
    let from = cells.length;
    while (from > 0 && store.ends.has(ids[from - 1]) && ids[from - 1] === ids.at(-1)) from -= 1;
    const count = cells.length - from, words = `${store.text(ids[from])} × ${count}`;
    const filling = { key: "filling", from, to: cells.length, words, said: `${count} tokens that end or fill`, ready: true, due: true };
    return [...channelFolds(step), filling].filter((fold) => fold.to - fold.from >= FOLDED_FROM);
  }
  const holds = ({ from, to }, positions) => positions.some((position) => from <= position && position < to);
  const isClosed = (fold) => wishes.get(fold.key) ?? (fold.due && !holds(fold, [pinned, ...named]));

  function writeFold(fold) {
    const { key, from, to, words, said, ready } = fold, closed = isClosed(fold), { cell, label } = cells[from];
    for (let position = from; closed && position < to; position++) {
      const first = position === from;
      Object.assign(cells[position], { words: first ? words : "", said: first ? said : null, extra: first ? "dgv-fold" : "dgv-folded" });
    }
    if (closed) cell.style.setProperty("--dgv-span", Math.min(4, Math.ceil((words.length + 1) / (characters + 1)))); // in columns
    if (closed && from < current && current < to) roam(from, cells[current].cell.matches(":focus"));
    if (!closed && ready) {
      cells[from].refold ??= cell.insertBefore(element("span", { class: "dgv-refold", title: "Fold (f)", "aria-hidden": "true" }), label);
      cells[from].extra += " dgv-unfolded";
    }
    cell.dataset.fold = key;
  }

  function wish({ key }, closed) {
    wishes.set(key, closed);
    paint(painted);
  }

  // What the reader looks at now opens what was closed before.
  function lookAt(positions) {
    for (const fold of folds) if (wishes.get(fold.key) && holds(fold, positions)) wishes.delete(fold.key);
  }

  const mark = (entry, word, on) => {
    entry.cell.classList.toggle(word, on);
    entry.name = entry.cell.className;
  };

  function pin(position) {
    if (position !== pinned) lookAt([position]);
    pinned = position;
    if (painted) paint(painted);
    for (const [p, entry] of cells.entries()) {
      mark(entry, "dgv-pinned", p === position);
      entry.cell.setAttribute("aria-selected", String(p === position));
    }
    if (position >= 0) roam(position);
  }

  // Positions that something else on the page speaks of.
  function name(positions) {
    lookAt(positions.filter((position) => !named.has(position)));
    named = new Set(positions);
    if (painted) paint(painted);
    for (const [p, entry] of cells.entries()) mark(entry, "dgv-named", named.has(p));
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
  const point = (event) => {
    const position = positionOf(event);
    if (position === null) act.leave();
    else act.point(cells[position].cell, position);
  };

  // The nearest token of the line above (-1) or below (1).
  function beside(position, way) {
    const boxOf = (at) => cells[at].cell.getClientRects()[0];
    const from = boxOf(position), other = [];
    if (!from) return position;
    for (let at = position + way; at >= 0 && at < cells.length; at += way) {
      const box = boxOf(at);
      if (!box || (way < 0 ? box.bottom > from.top + 4 : box.top < from.bottom - 4)) continue;
      if (other.length && Math.abs(box.top - other[0].box.top) > 4) break;
      other.push({ at, box });
    }
    const middle = from.left + from.width / 2;
    const away = ({ box }) => Math.abs(box.left + box.width / 2 - middle);
    return other.length ? other.reduce((best, one) => (away(one) < away(best) ? one : best)).at : position;
  }

  node.addEventListener("click", (event) => {
    const position = positionOf(event);
    if (position === null || !getSelection()?.isCollapsed) return; // a text that was selected is no click
    if (press(originOf(event))) return;
    roam(position, true);
    act.pin(position);
    act.leave();
  });
  // Opens a fold, or closes it again by the mark before its first token.
  function press(target) {
    const on = target.closest(".dgv-fold, .dgv-refold"), key = target.closest(".dgv-token")?.dataset.fold;
    const fold = on && folds.find((one) => one.key === key);
    if (fold) wish(fold, on.matches(".dgv-refold"));
    return Boolean(fold);
  }
  function foldAround(position) {
    const fold = folds.find((one) => one.ready && holds(one, [position]));
    if (fold) wish(fold, !isClosed(fold));
    return Boolean(fold);
  }
  node.addEventListener("pointerover", point);
  node.addEventListener("pointerleave", act.leave);
  node.addEventListener("focusin", (event) => originOf(event).matches(":focus-visible") && point(event));
  node.addEventListener("focusout", act.leave);

  function onKey(event) {
    const position = positionOf(event);
    if (position === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const targets = {
      ArrowLeft: () => position - 1, ArrowRight: () => position + 1, ArrowUp: () => beside(position, -1),
      ArrowDown: () => beside(position, 1), Home: () => 0, End: () => cells.length - 1,
    };
    if (event.key in targets) {
      let target = targets[event.key]();
      const way = target < position || event.key === "End" ? -1 : 1;
      while (cells[target]?.extra.includes("dgv-folded")) target += way;
      if (cells[target]) roam(target, true);
    } else if (event.key === "f" && foldAround(position)) act.leave();
    else if (event.key === "Enter") press(originOf(event)) || act.pin(position);
    else if (event.key === "Escape") act.leave();
    else return;
    event.preventDefault();
  }

  return { node, resize, paint, pin, name, onKey };
}
