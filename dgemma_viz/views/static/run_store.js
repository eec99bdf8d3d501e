// One canvas run as typed arrays: decodes the bytes that Python packed (see packing.py) and derives flips and commit steps.

import { isClamped, restraintsAt } from "./restraints.js";

// What became of a position after a step, by value: trace/decision.py, and 255 where a runtime did not log it.
export const DECISIONS = { 0: "re-noised", 1: "accepted", 2: "kept", 3: "edited", 4: "corrected", 255: "unrecorded" };
const WORDS = { ...DECISIONS, 255: "not recorded" };

const VIEWS = { i4: Int32Array, f4: Float32Array, u1: Uint8Array, f2: Uint16Array };

export function bytesOf(value) {
  if (!value) return new Uint8Array(0);
  if (!ArrayBuffer.isView(value)) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

// IEEE half precision; only the alternatives of one position are ever decoded, so speed does not matter.
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

export const probability = (p) => (p > 0 && p < 0.0005 ? "<0.001" : Number.isFinite(p) ? p.toFixed(3) : "unknown");

export class RunStore {
  constructor(packing, chunks, texts, differing, words) {
    const parts = chunks.map(bytesOf);
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
    this.buffer = bytes.buffer;
    this.packing = packing;
    this.texts = texts;
    this.words = words;
    this.differing = bytesOf(differing);
    this.positions = packing.positions ?? 0;
    this.topK = packing.top_k ?? 0;
    this.ends = new Set(words.ends);
    this.special = new Set(words.special);
    this.steps = packing.stride ? Math.floor(bytes.length / packing.stride) : 0;
    this.derive();
  }

  // The values of one field at one step, as a view on the received bytes.
  field(name, step) {
    const { dtype, offset, count } = this.packing.fields[name];
    return new VIEWS[dtype](this.buffer, step * this.packing.stride + offset, count);
  }

  // Where the draft differs from the step before.
  changed(step) {
    return this.flipped.subarray(step * this.positions, (step + 1) * this.positions);
  }

  // Where the position holds a token, and no noise, after the step; 0 also where that is not known.
  accepted(step) {
    return this.field("decision", step).map((code) => (code && code !== 255 ? 1 : 0));
  }

  // Where the step before accepted and this one re-noises; a step that made no decision takes none back.
  takenBack(step) {
    const before = this.accepted(Math.max(0, step - 1));
    return this.field("decision", step).map((code, position) => (before[position] && code === 0 ? 1 : 0));
  }

  // Whether it is known of no position what became of it.
  get undecided() {
    return this.steps > 0 && this.decided.size === 1 && this.decided.has(255);
  }

  // What a decision is called, in the words of the trace's kind of noise.
  decisionWords(code) {
    return this.words.decisions?.[code] ?? WORDS[code];
  }

  // What kind of decoder pass a step was; empty for a denoising step.
  phase(step) {
    return this.words.phases?.[step] ?? "";
  }

  // Where the draft differs from that of a compared run, if there is one. Rows go on to the end of the longer run.
  differs(step) {
    const rows = this.positions ? Math.floor(this.differing.length / this.positions) : 0;
    if (!rows) return null;
    const row = Math.min(step, rows - 1);
    return this.differing.subarray(row * this.positions, (row + 1) * this.positions);
  }

  // Where the step read noise: what the step before re-noised, and at first all but what the caller gave.
  noise(step) {
    const { given } = restraintsAt(this, step);
    if (!step) return Uint8Array.from({ length: this.positions }, (_, position) => (given?.[position] ? 0 : 1));
    return this.field("decision", step - 1).map((code) => (code === 0 ? 1 : 0));
  }

  // A token as it is, and not made visible: a text, or the bytes of one that holds a part of a character.
  raw(id) {
    const raw = this.words.raw?.[id];
    if (raw !== undefined) return raw;
    return this.text(id).replaceAll("␣", " ");
  }

  // A token, made visible; -1 is the candidate of a step that made no decision.
  text(id) {
    if (id === -1 && !this.undecided) return this.decisionWords(255);
    return this.texts[id] ?? `⟨${id}⟩`;
  }

  derive() {
    const { steps, positions } = this;
    this.flipped = new Uint8Array(steps * positions);
    this.flipsSoFar = new Uint16Array(steps * positions);
    this.commit = new Int32Array(positions).fill(steps ? 0 : -1);
    this.decided = new Set();
    this.entropyMax = 0;
    this.flipsMax = 0;
    for (let step = 0; step < steps; step++) {
      const draft = this.field("draft", step), before = step ? this.field("draft", step - 1) : draft;
      const entropy = this.field("entropy", step), row = step * positions;
      for (const code of this.field("decision", step)) this.decided.add(code);
      for (let p = 0; p < positions; p++) {
        const flip = draft[p] !== before[p] ? 1 : 0;
        if (flip) this.commit[p] = step;
        this.flipped[row + p] = flip;
        this.flipsSoFar[row + p] = flip + (step ? this.flipsSoFar[row - positions + p] : 0);
        if (entropy[p] > this.entropyMax && entropy[p] < Infinity) this.entropyMax = entropy[p];
        if (this.flipsSoFar[row + p] > this.flipsMax) this.flipsMax = this.flipsSoFar[row + p];
      }
    }
  }

  // Characters that hold nine of ten shown tokens, so that cells keep one width over all steps.
  cellCharacters() {
    const lengths = [];
    for (let step = 0; step < this.steps; step++) {
      for (const id of this.field("draft", step)) lengths.push(this.text(id).length);
    }
    lengths.sort((a, b) => a - b);
    return Math.min(10, Math.max(2, lengths[Math.floor(lengths.length * 0.9)] ?? 2));
  }

  // Probability of an alternative by its place among those of all positions.
  chance(step, at) {
    return halfToNumber(this.field("top_k_probabilities", step)[at]);
  }

  alternatives(step, position) {
    const ids = this.field("top_k_ids", step), bits = this.field("top_k_probabilities", step);
    const first = position * this.topK, ranks = Array.from({ length: this.topK }, (_, rank) => first + rank);
    const left = isClamped(this, step, position) ? ranks.slice(0, 1) : ranks;
    const known = left.filter((at) => ids[at] >= 0); // -1: not recorded
    return known.map((at) => ({ id: ids[at], probability: halfToNumber(bits[at]) }));
  }
}
