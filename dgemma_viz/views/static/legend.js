// What the colours and marks mean, how many tokens bear each mark, and the two choices: what to colour by, whose text.

import { QUANTITIES } from "./colour.js";
import { element, setText } from "./dom.js";
import { RESTRAINTS } from "./restraints.js";
import { DECISIONS } from "./run_store.js";

const SHOWS = { draft: "draft", noised: "noised canvas", candidate: "candidate" };
const MARKS = {
  accepted: "accepted", "re-noised": "re-noised", kept: "kept", edited: "edited", corrected: "corrected",
  unrecorded: "not recorded", changed: "draft changed", "taken-back": "taken back", differs: "differs",
  named: "in the finding", outside: "not in the output", given: "given", clamped: "clamped", banned: "banned",
};
const MEANINGS = {
  accepted: "The candidate was put into the canvas: measured",
  "re-noised": "Noise stands there after the step: measured",
  kept: "A token of an earlier step was left, this step's candidate not used: measured",
  edited: "A kept token was replaced by this step's candidate: measured",
  corrected: "Resampled by a corrector sweep: measured",
  unrecorded: "What became of these positions was not recorded",
  changed: "Draft differs from the step before: derived",
  "taken-back": "Accepted in the step before, re-noised in this one: derived",
  differs: "Draft differs from that of the other run at this step: derived",
  named: "What the chosen finding, or the place that was searched for, speaks of: derived",
  outside: "Part of the prompt, or beyond the length that was asked for: measured",
  given: "The step read a token that the caller gave: derived from the call",
  clamped: "A logits processor left one token, so there is no confidence of the model's to show: measured",
  banned: "A logits processor ruled out the model's own draft: measured",
};
const LAYOUT_NAMES = { grid: "grid", reading: "reading" };
const ALWAYS = ["accepted", "re-noised"];

// `choose(trait, value)` is called when the reader picks another quantity or another text.
export function createLegend(choose) {
  const choice = (label, trait, options) => {
    const select = element("select", { class: "dgv-select", onchange: () => choose(trait, select.value) });
    for (const [value, words] of Object.entries(options)) select.append(element("option", { value }, words));
    return { select, node: element("label", { class: "dgv-choice" }, label, select) };
  };
  const labels = Object.fromEntries(Object.entries(QUANTITIES).map(([name, { label }]) => [name, label]));
  const colour = choice("Colour", "quantity", labels), shows = choice("Text", "shows", SHOWS);
  const layout = choice("Layout", "token_layout", LAYOUT_NAMES);
  const scale = element("span", { class: "dgv-scale" }), source = element("span", { class: "dgv-tag" });
  const low = element("span"), high = element("span");
  const numbers = {}, marks = {}, names = {}, keys = [element("span", { class: "dgv-key" }, low, scale, high, source)];
  for (const [name, words] of Object.entries(MARKS)) {
    numbers[name] = element("b");
    names[name] = element("span", {}, words);
    const mark = element("i", { class: `dgv-mark dgv-mark-${name}` });
    keys.push((marks[name] = element("span", { class: "dgv-key", title: MEANINGS[name] }, mark, names[name], numbers[name])));
  }
  const legend = element("div", { class: "dgv-legend" }, ...keys);
  const node = element("div", { class: "dgv-options" }, colour.node, shows.node, layout.node, legend);

  function style(store, { quantity, shows: text, token_layout: laidOut }, stops) {
    colour.select.value = quantity;
    shows.select.value = text;
    layout.select.value = laidOut;
    node.dataset.layout = laidOut;
    const [from, to] = QUANTITIES[quantity].ends(store);
    setText(low, from);
    setText(high, to);
    setText(source, QUANTITIES[quantity].source);
    for (const [code, name] of Object.entries(DECISIONS)) {
      setText(names[name], store.decisionWords(code));
      const always = ALWAYS.includes(name) && !store.undecided;
      marks[name].hidden = !always && !store.decided.has(Number(code));
    }
    marks["taken-back"].hidden = store.undecided;
    marks.outside.hidden = !store.words.outside?.length;
    setText(numbers.outside, String(store.words.outside?.length ?? 0));
    const halves = [stops[0], `${stops[0]} 50%`, `${stops.at(-1)} 50%`];
    scale.style.background = `linear-gradient(to right, ${(quantity === "accepted" ? halves : stops).join(", ")})`;
  }

  // `decided`: a decision for each position that counts; the others: flags by position.
  function count({ decided, ...flags }) {
    const counts = Object.fromEntries(Object.values(DECISIONS).map((name) => [name, 0]));
    for (const code of decided) counts[DECISIONS[code]] += 1;
    for (const [name, values] of Object.entries(flags)) counts[name] = values.reduce((sum, flag) => sum + flag, 0);
    for (const name of ["differs", ...RESTRAINTS]) marks[name].hidden = !flags[name];
    for (const [name, number] of Object.entries(counts)) setText(numbers[name], String(number));
    return counts;
  }

  // Positions named by something else on the page: as many flags as positions, and in words what names them.
  function mark(flags, by) {
    const count = flags.reduce((sum, flag) => sum + flag, 0);
    marks.named.hidden = !count;
    setText(numbers.named, String(count));
    setText(names.named, by || MARKS.named);
  }
  return { node, style, count, mark };
}
