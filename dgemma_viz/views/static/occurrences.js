// Where a text or a token stands in a canvas run, over all steps: in what each step drafted, sampled and read, and among
// its alternatives. Texts are looked for in the joined text of all positions, so they may span tokens and begin within
// one, and characters whose bytes stand in several tokens are whole; alternatives are single tokens.

import { characters, madeVisible, readable } from "./token_text.js";

// Where a step has it. An alternative is one that the step did not draft.
export const SEEN_IN = { draft: 1, candidate: 2, noised: 4, alternative: 8 };
const ROWS = ["draft", "candidate", "noised"];
const STANDS = SEEN_IN.draft | SEEN_IN.candidate;
const AROUND = 5; // tokens quoted on either side
const COMBINING_FROM = 0x300; // characters before this one change none that they follow

// Letters compare without case; a letter with an accent is one, however it is written: decomposed, and not cut apart.
const PLAIN = /^[\x20-\x7e]*$/; // most tokens, of tens of thousands
const folded = (text) => (PLAIN.test(text) ? text.toLowerCase() : madeVisible(text).normalize("NFD").toLowerCase().replaceAll("ς", "σ"));
const asIs = (text) => (PLAIN.test(text) ? text : madeVisible(text));

// What the reader has typed, null for nothing: `#12` is a token id (`\#12` the text), ␣ and ↵ are as the views write them.
export function readWanted(words, exact = false) {
  if (!words) return null;
  const id = /^#(\d{1,9})$/.exec(words), text = words.replace(/^\\#/, "#").replaceAll("␣", " ").replaceAll("↵", "\n");
  const fold = exact ? asIs : folded;
  return { id: id ? Number(id[1]) : null, text: fold(text), fold, exact };
}

// Whether what follows a match belongs to its last character, as a further accent does.
function goesOn(text, next, exact) {
  if (exact || next === undefined || next.charCodeAt(0) < COMBINING_FROM) return false;
  return (text + next).normalize("NFC") !== text.normalize("NFC") + next;
}

// The tokens of a run as they are compared: texts, or bytes of those that hold parts of characters; -1 is no token.
function tokensOf(store, { fold }) {
  const known = new Map();
  return (token) => {
    let found = known.get(token);
    if (found === undefined) {
      const raw = token < 0 ? "\0" : store.raw(token);
      known.set(token, (found = token >= 0 && typeof raw === "string" ? fold(raw) : raw));
    }
    return found;
  };
}

// Finds `{ start, end }`, first and last position of each match, in a row of ids.
function matcher(tokenOf, { id, text, fold, exact }) {
  if (id !== null) return (ids) => Array.from(ids.keys()).filter((at) => ids[at] === id).map((at) => ({ start: at, end: at }));
  return (ids) => {
    const tokens = Array.from(ids, tokenOf), whole = tokens.every((token) => typeof token === "string");
    const texts = whole ? tokens : characters(tokens).texts.map((piece, at) => (piece === tokens[at] ? piece : fold(piece)));
    const joined = texts.join(""), found = [];
    let at = joined.indexOf(text);
    if (at < 0) return found;
    const ends = [];
    texts.reduce((sum, piece) => (ends.push(sum + piece.length), sum + piece.length), 0);
    const isPart = (position) => position < texts.length && !texts[position] && tokens[position].length > 0;
    for (let position = 0; at >= 0; at = joined.indexOf(text, at + 1)) {
      const beyond = at + text.length;
      if (goesOn(text, joined[beyond], exact)) continue;
      while (at >= ends[position]) position += 1;
      let last = position;
      while (beyond > ends[last]) last += 1;
      if (beyond === ends[last]) while (isPart(last + 1)) last += 1;
      if (found.at(-1)?.start !== position) found.push({ start: position, end: last });
      else found.at(-1).end = last;
    }
    return found;
  };
}

// Tokens that are it, or have it within them; bytes as they are shown alone.
function tokensWith(store, tokenOf, { id, text, fold }) {
  if (id !== null) return new Set([id]);
  const has = (token) => {
    const known = tokenOf(token);
    return (typeof known === "string" ? known : fold(characters([known]).texts[0])).includes(text);
  };
  return new Set(Object.keys(store.texts).map(Number).filter((token) => token >= 0 && has(token)));
}

// The places of a run where it stands at some step, by the position where it begins. `steps` says for each step where it
// was (SEEN_IN), `ends` its last position there. While it is draft or candidate it stands: `first`, `count`, the step at
// which it was last `lost` (-1: never) and where it came `back` after that, `still` (it stands after the last step).
// `best`: the alternative of the highest probability, with its `step` and `rank`. `quote`: the text around it at its first
// step.
export function findOccurrences(store, wanted) {
  const places = new Map(), tokenOf = tokensOf(store, wanted), find = matcher(tokenOf, wanted), outside = new Set(store.words.outside);
  const placeAt = (start) => {
    const found = places.get(start) ?? { start, end: start, best: null, steps: new Uint8Array(store.steps), ends: new Uint16Array(store.steps) };
    places.set(start, found);
    return found;
  };
  const rowOf = (name, step) => {
    const ids = store.field(name, step);
    return outside.size ? ids.map((id, at) => (outside.has(at) ? store.field("noised", step)[at] : id)) : ids;
  };
  const others = store.topK ? tokensWith(store, tokenOf, wanted) : new Set();
  for (let step = 0; step < store.steps; step++) {
    let before = null, found = [];
    for (const name of ROWS) {
      const ids = rowOf(name, step);
      if (!before || ids.some((id, at) => id !== before[at])) found = find(ids); // most candidates are the drafts
      before = ids;
      for (const { start, end } of found) {
        const place = placeAt(start);
        place.steps[step] |= SEEN_IN[name];
        place.ends[step] = end;
        place.end = Math.max(place.end, end);
      }
    }
    if (others.size) findAlternatives(store, step, others, outside, placeAt);
  }
  const found = [...places.values()].sort((a, b) => a.start - b.start);
  for (const place of found) {
    Object.assign(place, courseOf(place));
    Object.assign(place, quoteOf(store, place, rowOf));
  }
  return found;
}

function findAlternatives(store, step, others, outside, placeAt) {
  const ids = store.field("top_k_ids", step), draft = store.field("draft", step), { topK } = store;
  for (let at = 0; at < ids.length; at++) {
    if (!others.has(ids[at])) continue;
    const position = Math.floor(at / topK);
    if (ids[at] === draft[position] || outside.has(position)) continue;
    const place = placeAt(position), probability = store.chance(step, at);
    place.steps[step] |= SEEN_IN.alternative;
    if (!(probability <= place.best?.probability)) place.best = { step, id: ids[at], rank: (at % topK) + 1, probability };
  }
}

// `where`: in which of SEEN_IN it ever was.
function courseOf({ steps }) {
  let first = -1, lost = -1, back = -1, count = 0, where = 0;
  for (const [step, flags] of steps.entries()) {
    where |= flags;
    const stands = Boolean(flags & STANDS), stood = step > 0 && Boolean(steps[step - 1] & STANDS);
    if (stands) count += 1;
    if (stands && first < 0) first = step;
    if (stood && !stands) [lost, back] = [step, -1];
    if (stands && lost >= 0 && back < 0) back = step;
  }
  return { first, lost, back, count, where, stands: count > 0, still: Boolean(steps.at(-1) & STANDS) };
}

// `shownAt`: the step that is quoted.
function quoteOf(store, { start, end, steps, first, best }, rowOf) {
  const shownAt = first >= 0 ? first : best ? best.step : steps.findIndex(Boolean), flags = steps[shownAt];
  const name = ROWS.find((row) => flags & SEEN_IN[row]) ?? "draft";
  const from = Math.max(0, start - AROUND), ids = rowOf(name, shownAt).slice(from, end + 1 + AROUND);
  const { texts } = readable(Array.from(ids, (id) => (id < 0 ? "" : store.raw(id))));
  const alternative = !(flags & ~SEEN_IN.alternative), high = end + 1 - from;
  let low = start - from;
  while (low > 0 && !texts[low]) low -= 1; // a part of what is one character to a reader
  const match = alternative ? readable([store.raw(best.id)]).texts[0] : texts.slice(low, high).join("");
  return { shownAt, quote: { before: texts.slice(0, low).join(""), match, after: texts.slice(high).join("") } };
}
