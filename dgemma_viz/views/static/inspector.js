// One position in full: its numbers at the step, its alternatives now, its history over the steps. Texts go in as text.

import { element, focusedBeside } from "./dom.js";
import { passageAt } from "./passage.js";
import { positionRows } from "./position_rows.js";
import { freeField, isClamped } from "./restraints.js";
import { probability } from "./run_store.js";

export const tag = (source) => element("span", { class: "dgx-tag" }, source);

export function bar(share) {
  const filled = element("i");
  filled.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  return element("b", { class: "dge-share", "aria-hidden": "true" }, filled);
}

// `term`: our own words as HTML; the name opens its meaning.
function rowHead(term) {
  const head = element("th", { scope: "row" });
  head.innerHTML = term;
  return head;
}

function numbers(store, run, step, position) {
  const rows = positionRows(run, store, step, position).map(({ term, text, source }) =>
    element("tr", {}, rowHead(term), element("td", {}, text), element("td", {}, tag(source))));
  return element("table", { class: "dgx-numbers", "aria-label": `Numbers at step ${step}` }, element("tbody", {}, ...rows));
}

function alternatives(store, step, position) {
  const at = (name) => store.field(name, step)[position];
  const draft = at("draft"), candidate = at("candidate"), shown = store.alternatives(step, position);
  if (!shown.length) return element("p", { class: "dgx-empty" }, "No alternatives were recorded.");
  if (candidate >= 0 && !shown.some(({ id }) => id === candidate)) {
    shown.push({ id: candidate, probability: at("candidate_probability") });
  }
  const rest = Math.max(0, 1 - shown.reduce((sum, { probability: p }) => sum + (p || 0), 0));
  const row = (text, note, p) =>
    element("tr", { class: note ? "dge-named" : "" }, element("th", { scope: "row" }, text), element("td", {}, note),
      element("td", {}, bar(p)), element("td", {}, probability(p)));
  const role = (id) => [id === draft && "draft", id === candidate && "candidate"].filter(Boolean).join(", ");
  const rows = shown.map(({ id, probability: p }) => row(store.text(id), role(id), p));
  rows.push(row("all other tokens", tag("derived"), rest));
  return element("table", { class: "dge-table dge-alternatives", "aria-label": "Alternatives" }, element("tbody", {}, ...rows));
}

function pastOf(store, step, position, go, of) {
  const rows = Array.from({ length: store.steps }, (_, at) => {
    const value = (name) => store.field(name, at)[position];
    const jump = element("button", { type: "button", onclick: () => go(at) }, String(at));
    const changed = store.flipped[at * store.positions + position], taken = store.takenBack(at)[position];
    const sure = freeField(store, "confidence", at)[position], clamped = isClamped(store, at, position);
    const notes = [clamped && "clamped", changed && "▲ changed", taken && "× taken back"].filter(Boolean).join(" · ");
    const now = at === step ? { "aria-current": "step" } : {};
    return element("tr", now, element("th", { scope: "row" }, jump), element("td", {}, store.text(value("draft"))),
      element("td", {}, bar(sure)), element("td", {}, clamped ? "–" : probability(sure)),
      element("td", { class: "dge-after" }, [store.words.outcomes[value("decision")], notes].filter(Boolean).join(" · ")));
  });
  const heads = ["step", "draft", "confidence", "", "after the step"].map((name) =>
    name ? element("th", { scope: "col" }, name) : element("td"));
  const table = element("table", { class: "dge-table" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  return element("div", { class: "dge-history", tabindex: 0, role: "region", "aria-label": `History of the position${of}` }, table);
}

// `go(step)` is called when a step of the history is chosen; `name` sets one of two runs apart, whose numbers stand in a
// table of both.
export function createInspector({ hint, name, go }) {
  const node = element("section", { class: "dgx-inspector dge-inspector", "aria-label": name ? `Inspector of ${name}` : "Inspector" });
  function show(store, run, wanted, position) {
    const open = store?.steps && position >= 0 && position < store.positions;
    node.hidden = Boolean(name) && !open;
    if (!open) {
      node.replaceChildren(element("p", { class: "dgx-empty" }, hint));
      return;
    }
    const step = Math.min(wanted, store.steps - 1), kept = node.querySelector(".dge-history")?.scrollTop ?? 0;
    const title = `${name ? `${name[0].toUpperCase()}${name.slice(1)}: position` : "Position"} ${position} at step ${step}`;
    const focus = focusedBeside(node), focused = node.contains(focus) && focus.matches(".dge-history button");
    const past = pastOf(store, step, position, go, name && ` in ${name}`);
    const passage = passageAt(store, step, position);
    const said = passage && element("p", { class: "dge-passage", dir: "auto" }, passage);
    node.replaceChildren(element("h3", {}, title), said || "", element("div", { class: "dge-columns dge-narrow" },
      name ? null : numbers(store, run, step, position),
      element("div", {}, element("h4", {}, "Alternatives ", tag("measured")), alternatives(store, step, position)),
      element("div", {}, element("h4", {}, "Over the steps ", tag("measured")), past)));
    // The row of the step stays in view without moving the page.
    const current = past.querySelector("[aria-current]"), top = current.offsetTop - past.offsetTop;
    past.scrollTop = top < kept || top > kept + past.clientHeight - 40 ? top - past.clientHeight / 2 : kept;
    if (focused) current.querySelector("button").focus({ preventScroll: true });
  }
  return { node, show };
}
