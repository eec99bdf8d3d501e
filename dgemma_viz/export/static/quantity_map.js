// Fills the map of a quantity, steps by positions, from the records that the token canvas is drawn from.

import { QUANTITIES } from "./colour.js";

const number = (value) => String(Number(value.toPrecision(4)));

// `spec`: the figure without cells (export/charts.py); `words`: labels and outcomes of the trace.
export function filledMap(spec, store, name, words, lookName, look) {
  const [frame, takenBack] = structuredClone(spec.data), { quantity } = spec;
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
    text.push(Array.from(store.field("draft", step), (id) => words.labels[id] ?? store.text(id)));
    customdata.push(values.map((value, position) => `${line(value)}${words.outcomes[decisions[position]] ?? ""}${after}`));
  }
  Object.assign(frame, { z, text, customdata, colorscale: spec.scales[lookName] });
  takenBack.marker.color = look.warning;
  return { data: [frame, takenBack], layout: spec.layout };
}
