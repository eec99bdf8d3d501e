// One parameter of a sampler as native inputs: a number box that takes every value, a slider over the usual ones, a
// switch where it may be off, a list where it is a choice. Native inputs have names that screen readers read.

import { element, setText } from "./dom.js";

const GRAIN = 200; // slider positions

const same = (left, right) => left === right || (left != null && right != null && Number(left) === Number(right));
const shown = (value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
const words = (value, unit) => (value == null ? "off" : `${shown(value)}${unit ? ` ${unit}` : ""}`);

// The slider's way between its positions and values: by logarithm, by whole numbers, or evenly.
function travel({ from, to, log, kind }) {
  if (kind === "whole") return { most: to - from, place: (value) => value - from, value: (place) => from + place };
  const [low, high] = log ? [Math.log10(from), Math.log10(to)] : [from, to];
  const place = (value) => ((log ? Math.log10(Math.max(value, 1e-300)) : value) - low) / (high - low);
  return {
    most: GRAIN,
    place: (value) => Math.round(Math.max(0, Math.min(1, place(value))) * GRAIN),
    value(at) {
      const even = low + (at / GRAIN) * (high - low);
      return Number((log ? 10 ** even : even).toPrecision(log ? 2 : 3));
    },
  };
}

// `chosen(value)` is called when the reader has chosen; `show(value)` of the result shows a value.
export function parameterInput(entry, chosen) {
  const id = `dgs-${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2)}`;
  const about = { "aria-describedby": `${id}-about ${id}-mark` };
  const mark = element("span", { class: "dgs-mark", id: `${id}-mark` });
  const inputs = [];
  let show;

  if (entry.kind === "choice") {
    const options = entry.choices.map((choice) => element("option", { value: choice }, choice.replaceAll("_", " ")));
    const list = element("select", { id, class: "dgs-list", ...about, onchange: () => chosen(list.value) }, ...options);
    inputs.push(list);
    show = (value) => (list.value = value);
  } else {
    const way = travel(entry);
    const box = element("input", {
      id, class: "dgs-number", type: "number", step: entry.kind === "whole" ? 1 : "any", min: entry.least, max: entry.most,
      ...about, onchange: () => chosen(box.value === "" ? null : Number(box.value)),
    });
    const slider = element("input", {
      class: "dgs-slider", type: "range", min: 0, max: way.most, step: 1, "aria-label": `${entry.label}, slider`,
      oninput: () => chosen(way.value(Number(slider.value))),
    });
    const on = entry.optional && element("input", {
      class: "dgs-switch", type: "checkbox", "aria-label": `${entry.label}, on`,
      onchange: () => chosen(on.checked ? entry.start : null),
    });
    inputs.push(...(on ? [on] : []), slider, box);
    show = (value) => {
      const off = entry.optional && value == null;
      if (on) on.checked = !off;
      slider.disabled = box.disabled = off;
      const text = value == null ? "" : String(shown(value));
      if (box.value !== text) box.value = text;
      if (value != null) slider.value = way.place(value);
      slider.setAttribute("aria-valuetext", words(value, entry.unit));
      box.setAttribute("aria-invalid", String(!off && (value == null || value < entry.least || value > (entry.most ?? Infinity))));
    };
  }
  const unit = entry.unit ? element("span", { class: "dgs-unit" }, ` ${entry.unit}`) : null;
  const head = element("div", { class: "dgs-head" }, element("label", { for: id }, entry.label), unit, mark);
  const meaning = element("p", { class: "dgs-meaning", id: `${id}-about` }, entry.meaning);
  const place = element("div", { class: "dgs-inputs" }, ...inputs);
  const node = element("div", { class: "dgs-parameter", "data-name": entry.name }, head, place, meaning);
  return {
    node,
    show(value) {
      const differs = !same(value, entry.default);
      node.classList.toggle("dgs-differs", differs);
      setText(mark, differs ? `≠ default ${words(entry.default, "")}` : "");
      show(value);
    },
    differs: (value) => !same(value, entry.default),
  };
}
