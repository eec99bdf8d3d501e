// What one position did in one step: alternatives, numbers, and for each group whether it was measured or derived.

import { element, focusedBeside } from "./dom.js";
import { passageAt } from "./passage.js";
import { isClamped, restraintRows } from "./restraints.js";
import { probability } from "./run_store.js";

const MOST_ALTERNATIVES = 5;
const nats = (h) => (Number.isFinite(h) ? `${h.toFixed(h < 0.1 ? 4 : 2)} nats` : "unknown");

export function createTooltip() {
  const node = element("div", { class: "dgv-tip", role: "tooltip", popover: "manual" });
  node.id = `dgv-tip-${Math.random().toString(36).slice(2)}`;
  let shown = null;

  function rows(entries) {
    const list = element("div", { class: "dgv-tip-rows" });
    for (const [name, value] of entries) list.append(element("span", {}, name), element("span", {}, value));
    return list;
  }
  const heading = (words, source) =>
    element("div", { class: "dgv-tip-heading" }, words, element("span", { class: "dgv-tag" }, source));

  function fill(store, step, position) {
    const at = (name) => store.field(name, step)[position];
    const clamped = isClamped(store, step, position), ofModel = (words) => (clamped ? `${words} (clamped)` : words);
    const draft = at("draft"), phase = store.phase(step), row = step * store.positions + position;
    const bars = element("div", { class: "dgv-tip-bars" });
    const alternatives = store.alternatives(step, position).slice(0, MOST_ALTERNATIVES);
    for (const { id, probability: p } of alternatives) {
      const bar = element("i");
      bar.style.width = `${Math.max(0, Math.min(1, p)) * 100}%`;
      const text = element("span", { class: id === draft ? "dgv-best" : "" }, store.text(id));
      bars.append(text, element("b", {}, bar), element("span", {}, probability(p)));
    }
    const commit = store.commit[position], passage = passageAt(store, step, position);
    node.replaceChildren(
      ...(passage ? [element("div", { class: "dgv-tip-title" }, passage)] : []),
      element("div", { class: "dgv-tip-title" }, `position ${position} · step ${step}`),
      ...(alternatives.length ? [heading("most probable tokens", "measured"), bars] : []),
      heading("decision", "measured"),
      rows([
        ["after the step", store.decisionWords(at("decision"))],
        ...(phase ? [["kind of step", phase]] : []),
        ["entropy", ofModel(nats(at("entropy")))],
        ["confidence", ofModel(probability(at("confidence")))],
        ...restraintRows(store, step, position),
        ["read (noised)", store.text(at("noised"))],
        ["candidate", `${store.text(at("candidate"))}  ${probability(at("candidate_probability"))}`],
        ["draft", store.text(draft)],
      ]),
      heading("over the steps", "derived"),
      rows([
        ["draft changed now", store.flipped[row] ? "yes" : "no"],
        ...(at("decision") === 255 ? [] : [["taken back now", store.takenBack(step)[position] ? "yes" : "no"]]),
        ["flips so far", String(store.flipsSoFar[row])],
        ["commit step", commit <= step ? String(commit) : "later"],
      ]),
    );
  }

  // Beside the token, inside the window, above everything (top layer), so that no scroll area cuts it.
  function place(anchor) {
    const box = anchor.getBoundingClientRect(), tip = node.getBoundingClientRect(), gap = 8;
    const left = Math.max(gap, Math.min(innerWidth - tip.width - gap, box.left + box.width / 2 - tip.width / 2));
    const below = box.bottom + gap + tip.height <= innerHeight;
    node.style.left = `${left}px`;
    node.style.top = `${below ? box.bottom + gap : Math.max(gap, box.top - tip.height - gap)}px`;
  }

  function show(anchor, store, step, position) {
    if (shown && shown.anchor !== anchor) shown.anchor.removeAttribute("aria-describedby");
    shown = { anchor, position };
    fill(store, step, position);
    node.classList.add("dgv-shown");
    if (node.showPopover && !node.matches(":popover-open")) node.showPopover();
    anchor.setAttribute("aria-describedby", node.id);
    place(anchor);
  }
  function hide() {
    if (!shown) return;
    shown.anchor.removeAttribute("aria-describedby");
    shown = null;
    node.classList.remove("dgv-shown");
    if (node.hidePopover && node.matches(":popover-open")) node.hidePopover();
  }
  function refresh(store, step) {
    if (!shown) return;
    if (shown.anchor.isConnected && shown.position < store.positions) show(shown.anchor, store, step, shown.position);
    else hide();
  }
  // Where the pointer is, there is another token now; a token that came to the keyboard's focus scrolled by itself.
  function scrolled() {
    if (shown && shown.anchor === focusedBeside(node) && shown.anchor.matches(":focus-visible")) place(shown.anchor);
    else hide();
  }
  return { node, show, hide, refresh, scrolled };
}
