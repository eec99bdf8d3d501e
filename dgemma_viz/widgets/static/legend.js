// What the colours and marks mean, how many tokens bear each mark, and the two choices: what to colour by, whose text.

import { QUANTITIES } from "./colour.js";
import { element, setText } from "./dom.js";

const SHOWS = { draft: "draft", noised: "noised canvas", candidate: "candidate" };
const MARKS = {
  accepted: "accepted", "re-noised": "re-noised", changed: "draft changed", "taken-back": "taken back",
  differs: "differs", named: "in the finding",
};
const MEANINGS = {
  accepted: "Candidate kept after the step: measured",
  "re-noised": "Replaced by a random token after the step: measured",
  changed: "Draft differs from the step before: derived",
  "taken-back": "Accepted in the step before, re-noised in this one: derived",
  differs: "Draft differs from that of the other run at this step: derived",
  named: "Named by the chosen finding: derived",
};

// `choose(trait, value)` is called when the reader picks another quantity or another text.
export function createLegend(choose) {
  const choice = (label, trait, options) => {
    const select = element("select", { class: "dgv-select", onchange: () => choose(trait, select.value) });
    for (const [value, words] of Object.entries(options)) select.append(element("option", { value }, words));
    return { select, node: element("label", { class: "dgv-choice" }, label, select) };
  };
  const labels = Object.fromEntries(Object.entries(QUANTITIES).map(([name, { label }]) => [name, label]));
  const colour = choice("Colour", "quantity", labels), shows = choice("Text", "shows", SHOWS);
  const scale = element("span", { class: "dgv-scale" }), source = element("span", { class: "dgv-tag" });
  const low = element("span"), high = element("span");
  const numbers = {}, marks = {}, keys = [element("span", { class: "dgv-key" }, low, scale, high, source)];
  for (const [name, words] of Object.entries(MARKS)) {
    numbers[name] = element("b");
    const mark = element("i", { class: `dgv-mark dgv-mark-${name}` });
    keys.push((marks[name] = element("span", { class: "dgv-key", title: MEANINGS[name] }, mark, words, numbers[name])));
  }
  const legend = element("div", { class: "dgv-legend" }, ...keys);
  const node = element("div", { class: "dgv-options" }, colour.node, shows.node, legend);

  function style(store, quantity, text, stops) {
    colour.select.value = quantity;
    shows.select.value = text;
    const [from, to] = QUANTITIES[quantity].ends(store);
    setText(low, from);
    setText(high, to);
    setText(source, QUANTITIES[quantity].source);
    const halves = [stops[0], `${stops[0]} 50%`, `${stops.at(-1)} 50%`];
    scale.style.background = `linear-gradient(to right, ${(quantity === "accepted" ? halves : stops).join(", ")})`;
  }

  function count(flags) {
    const counts = {};
    for (const [name, values] of Object.entries(flags)) counts[name] = values.reduce((sum, flag) => sum + flag, 0);
    marks.differs.hidden = !flags.differs;
    counts["re-noised"] = flags.accepted.length - counts.accepted;
    for (const [name, number] of Object.entries(counts)) setText(numbers[name], String(number));
    return counts;
  }

  // Positions named by something else on the page: as many flags as positions.
  function mark(flags) {
    const count = flags.reduce((sum, flag) => sum + flag, 0);
    marks.named.hidden = !count;
    setText(numbers.named, String(count));
  }
  return { node, style, count, mark };
}
