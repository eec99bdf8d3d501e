// What a quantity looks like: value to colour and back to a legend, readable text on any colour, light or dark page.

import { freeField } from "./restraints.js";

const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const linear = (channel) => (channel <= 10.3 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4);
export const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

const SHADES = 64;

// Background and text colours of a scale, as SHADES pairs; the text is whichever of ink and paper contrasts more.
export function ramp(stops) {
  const colours = stops.map(parse);
  return Array.from({ length: SHADES }, (_, n) => {
    const at = (n / (SHADES - 1)) * (colours.length - 1), low = Math.min(Math.floor(at), colours.length - 2);
    const rgb = colours[low].map((from, c) => Math.round(from + (colours[low + 1][c] - from) * (at - low)));
    const light = luminance(rgb);
    return { background: `rgb(${rgb})`, text: 1.05 / (light + 0.05) > (light + 0.05) / 0.05 ? "#fff" : "#000" };
  });
}

export const shadeOf = (shades, share) => shades[Math.max(0, Math.min(SHADES - 1, Math.round(share * (SHADES - 1))))];

// Quantities: `share` maps to 0..1 (NaN: no value), `ends` labels the legend. Scales come from Python, per theme.
export const QUANTITIES = {
  confidence: {
    label: "confidence", source: "measured", ends: () => ["0", "1"],
    share: (store, step) => freeField(store, "confidence", step),
  },
  entropy: {
    label: "entropy", source: "measured", ends: (store) => ["0", `${store.entropyMax.toPrecision(2)} nats`],
    share: (store, step) => freeField(store, "entropy", step).map((value) => value / (store.entropyMax || 1)),
  },
  accepted: {
    label: "accepted", source: "measured", ends: (store) => [store.decisionWords(0), store.decisionWords(1)],
    share: (store, step) => Float32Array.from(store.field("decision", step), (code) => (code === 255 ? NaN : code ? 1 : 0)),
  },
  flips: {
    label: "flips so far", source: "derived", ends: (store) => ["0", String(store.flipsMax)],
    share: (store, step) => {
      const row = store.flipsSoFar.subarray(step * store.positions, (step + 1) * store.positions);
      return Float32Array.from(row, (count) => count / (store.flipsMax || 1));
    },
  },
  commit_step: {
    label: "commit step", source: "derived", ends: (store) => ["0", String(Math.max(0, store.steps - 1))],
    share: (store, step) => Float32Array.from(store.commit, (at) => (at <= step ? at / Math.max(1, store.steps - 1) : NaN)),
  },
};
