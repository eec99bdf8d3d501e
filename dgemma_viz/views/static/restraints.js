// What was not left to the model, by step and position (views/restraints.py): tokens that the caller gave, positions where
// one token was left, drafts of the model's own that were banned. A clamped position has no confidence to show.

const BITS = { given: 1, clamped: 2, banned: 4 };
export const RESTRAINTS = Object.keys(BITS);

const kindsOfRuns = new WeakMap();

// The kinds that a run has in any of its steps.
function kindsOf({ restraints }) {
  if (!restraints) return [];
  if (!kindsOfRuns.has(restraints)) {
    const digits = new Set(restraints.flags.join(""));
    kindsOfRuns.set(restraints, RESTRAINTS.filter((kind) => [...digits].some((digit) => Number(digit) & BITS[kind])));
  }
  return kindsOfRuns.get(restraints);
}

export const isClamped = (store, step, position) =>
  Boolean(Number(store.words.restraints?.flags[step]?.[position] ?? 0) & BITS.clamped);

// Confidence, entropy and the like of a step as far as they are the model's; NaN where it was clamped.
export function freeField(store, name, step) {
  const values = store.field(name, step);
  if (!store.words.restraints?.flags[step]?.match(/[2367]/)) return values;
  return values.map((value, position) => (isClamped(store, step, position) ? NaN : value));
}

// Flags by position at a step, of each kind that the run has.
export function restraintsAt({ words }, step) {
  const flags = words.restraints?.flags[step] ?? "";
  return Object.fromEntries(kindsOf(words).map((kind) =>
    [kind, Uint8Array.from(flags, (digit) => (Number(digit) & BITS[kind] ? 1 : 0))]));
}

export const restraintClasses = (restraints, position) =>
  Object.keys(restraints).filter((kind) => restraints[kind][position]).map((kind) => `dgv-${kind}`).join(" ");

export function leftWords(store, step, position) {
  if (isClamped(store, step, position)) return "one token (clamped)";
  const banned = store.words.restraints.banned[step], count = Array.isArray(banned) ? banned[position] : banned;
  return count ? `all tokens but ${count}` : "all tokens";
}

export function ownDraftWords(store, step, position) {
  const id = store.words.restraints.drafts[step]?.[position];
  return id === undefined ? "not banned" : `${store.text(id)} (banned)`;
}

// Rows of a tooltip; none for a run without restraints.
export function restraintRows(store, step, position) {
  if (!store.words.restraints) return [];
  const given = Number(store.words.restraints.flags[step][position]) & BITS.given;
  return [
    ...(given ? [["given by the caller", "yes"]] : []),
    ["left to choose from", leftWords(store, step, position)],
    ["model's own draft", ownDraftWords(store, step, position)],
  ];
}
