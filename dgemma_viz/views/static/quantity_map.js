// Fills the map of a quantity, steps by positions, from the records that the token canvas is drawn from.

import { QUANTITIES } from "./colour.js";
import { passageAt } from "./passage.js";

const number = (value) => String(Number(value.toPrecision(4)));

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", $: "&#36;" };
const LETTER = "[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]";
const RIGHT_TO_LEFT = new RegExp(`${LETTER}(?:[^A-Za-z'"\n]*${LETTER})?`, "gu"); // a run: plain_text.py's

// A token's text as Plotly's hovers take it: not as markup, and reordering nothing beside it (figures/token_text.py).
function label(text) {
  const apart = text.replace(RIGHT_TO_LEFT, "\u2068$&\u2069");
  return apart.replace(/[&<>$]/g, (character) => ENTITIES[character]).replaceAll("%{", "&#37;{");
}

// `spec`: the figure without cells, and what each quantity is in it (views/charts.py).
export function filledMap(spec, store, name, lookName, look) {
  const quantity = spec.quantities[name], [cells, marks] = spec.data, { title } = spec.layout;
  const frame = { ...cells, ...quantity.cells };
  const factor = quantity.categories.length ? 1 : frame.zmax;
  const written = name === "accepted" || frame.hovertemplate.includes("%{z"); // Plotly writes numbers itself
  const line = (value) => {
    if (written) return "";
    const shown = Number.isNaN(value) ? quantity.missing : `${number(value)} ${quantity.unit}`.trim();
    return `${quantity.title}: ${shown} · ${quantity.provenance}<br>`;
  };
  const z = [], text = [], customdata = [];
  for (let step = 0; step < store.steps; step++) {
    const phase = store.phase(step), after = phase ? ` · ${phase}` : "", decisions = store.field("decision", step);
    const values = quantity.recorded
      ? Array.from(QUANTITIES[name].share(store, step), (share) => share * factor)
      : Array(store.positions).fill(NaN);
    z.push(values.map((value) => (Number.isFinite(value) ? value : null)));
    text.push(Array.from(store.field("draft", step), (id) => label(store.text(id))));
    customdata.push(values.map((value, position) => [
      label(passageAt(store, step, position)), `${line(value)}${store.words.outcomes[decisions[position]] ?? ""}${after}`,
    ]));
  }
  Object.assign(frame, { z, text, customdata, colorscale: quantity.scales[lookName] });
  const takenBack = { ...marks, ...quantity.taken_back, marker: { ...marks.marker, color: look.warning } };
  const heads = { ...title, subtitle: { ...title.subtitle, text: quantity.subtitle } };
  return { data: [frame, takenBack], layout: { ...spec.layout, title: heads } };
}
