// The rows of an inspector, read from the records of a run: their list comes from views/position_rows.py.

import { isClamped, leftWords, ownDraftWords } from "./restraints.js";

// As Python's "%.4g": so many significant digits, exponents of two digits.
function significant(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e"), power = Number(exponent);
  if (power >= -4 && power < digits) return String(Number(value.toPrecision(digits)));
  return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const yes = (flag) => (flag ? "yes" : "no");

// Place in the step's order of entropy, and what all cheaper positions use: analysis/acceptance.py, in float32 as there.
function inOrder(entropy, position) {
  const cost = (p) => (Number.isNaN(entropy[p]) ? Infinity : entropy[p]);
  const last = (p) => Number(Number.isNaN(entropy[p]));
  const order = Array.from(entropy.keys()).sort((a, b) => last(a) - last(b) || (cost(a) < cost(b) ? -1 : Number(cost(a) > cost(b))));
  const rank = order.indexOf(position);
  const total = order.slice(0, rank + 1).reduce((sum, p) => Math.fround(sum + entropy[p]), 0);
  return { rank: rank + 1, before: Math.fround(total - entropy[position]) };
}

function why({ sentences, bounds }, store, step, position) {
  const accepted = Boolean(store.accepted(step)[position]), bound = bounds[step];
  const { rank, before } = inOrder(store.field("entropy", step), position);
  const name = store.field("decision", step)[position] === 255 ? "no decision"
    : bound === null ? "no bound"
    : !Number.isFinite(before) ? "no entropy"
    : accepted !== before <= bound ? "against the bound"
    : accepted ? "to spare" : "over";
  const nats = { before, bound, left: Math.abs(bound - before) };
  const words = { verdict: accepted ? "accepted" : "re-noised", rank, size: store.positions };
  return sentences[name].replace(/\{(\w+)\}/g, (_, word) => words[word] ?? significant(nats[word], 3));
}

const TEXTS = {
  token({ array }, { emitted }, store, step, position) {
    const id = (array === "emitted" ? emitted : store.field(array, step))[position];
    return id === store.words.mask ? "mask" : store.text(id);
  },
  number({ array, unit }, _, store, step, position) {
    const value = store.field(array, step)[position], after = isClamped(store, step, position) ? " (clamped)" : "";
    return Number.isFinite(value) ? `${significant(value, 4)}${unit && "\u00a0"}${unit}${after}` : "unknown";
  },
  left: (row, run, store, step, position) => leftWords(store, step, position),
  own_draft: (row, run, store, step, position) => ownDraftWords(store, step, position),
  outcome: (row, run, store, step, position) => store.decisionWords(store.field("decision", step)[position]),
  phase: (row, run, store, step) => store.phase(step) || run.denoise,
  why: (row, run, store, step, position) => why(run.why, store, step, position),
  taken_back: (row, run, store, step, position) => yes(store.takenBack(step)[position]),
  flips: (row, run, store, step, position) => String(store.flipsSoFar[step * store.positions + position]),
  commit_step: (row, run, store, step, position) => String(store.commit[position]),
  ever_accepted(row, { emitted }, store, step, position) {
    const steps = Array.from({ length: store.steps }, (_, at) => at);
    return yes(steps.some((at) => store.accepted(at)[position] && store.field("candidate", at)[position] === emitted[position]));
  },
};

// `run`: what rows_to_json() gives; each row as `{ name, term, text, source }`.
export const positionRows = (run, store, step, position) =>
  run.rows.map((row) => ({
    name: row.name, term: row.term, source: row.source,
    text: row.recorded ? TEXTS[row.kind](row, run, store, step, position) : run.unrecorded,
  }));
