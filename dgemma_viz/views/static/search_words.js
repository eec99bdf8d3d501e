// What a search has found, in words.

import { SEEN_IN } from "./occurrences.js";
import { probability } from "./run_store.js";

const several = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

// `canvases`: how many the run has; a run of one has no need to name it.
export function spotWords({ canvas, start, end }, canvases) {
  const positions = end > start ? `positions ${start}–${end}` : `position ${start}`;
  return canvases > 1 ? `canvas ${canvas}, ${positions}` : positions;
}

const whenWords = ({ canvas }, step, canvases) => (canvases > 1 ? `canvas ${canvas}, step ${step}` : `step ${step}`);
const bestWords = ({ rank, probability: p }) => `rank ${rank}, probability ${probability(p)}`;

// Canvases are written one after the other: the first place in that order by a step, or the last (`way` -1); or null.
function outermost(places, stepOf, way) {
  const known = places.filter((place) => stepOf(place) >= 0);
  const order = (a, b) => way * (a.canvas - b.canvas || stepOf(a) - stepOf(b)) || a.start - b.start;
  return known.length ? known.reduce((best, place) => (order(place, best) < 0 ? place : best)) : null;
}

// The place that was seen first, and the one that was lost last, if any.
const extremesOf = (places) => ({ first: outermost(places, ({ first }) => first, 1), lost: outermost(places, ({ lost }) => lost, -1) });

// `words` that lead to a step of a place.
const way = (place, step, canvases) => ({ place, step, words: whenWords(place, step, canvases) });

function standing(places, canvases) {
  const still = places.filter((place) => place.still).length, { first, lost } = extremesOf(places);
  const one = still ? "still there" : "gone", all = `${still === places.length ? "all" : still || "none"} still there`;
  const lead = `In ${several(places.length, "place")}, ${places.length === 1 ? one : all} at the end; first seen at `;
  const end = lost ? [", last lost at ", way(lost, lost.lost, canvases), "."] : [", never lost."];
  return [lead, way(first, first.first, canvases), ...end];
}

// One run's places in a sentence or three, as texts and ways to a step; nothing where there are no places.
export function summaryOf(places, canvases) {
  const stands = places.filter((place) => place.stands), offered = places.filter((place) => !place.stands && place.best);
  const noise = places.length - stands.length - offered.length, said = stands.length ? standing(stands, canvases) : [];
  const more = (count) => (said.length ? ` ${count} more` : ` ${several(count, "place")}`);
  if (offered.length) {
    const best = offered.reduce((a, b) => (b.best.probability > a.best.probability ? b : a));
    const lead = said.length ? " Only" : "Never drafted or sampled: only";
    said.push(`${lead} an alternative in${more(offered.length)}, best at `, way(best, best.best.step, canvases), ` (${bestWords(best.best)}).`);
  }
  if (noise) said.push(`${said.length ? " Only" : "Never drafted or sampled: only"} noise that steps read in${more(noise)}.`);
  return said;
}

// What became of one place.
export function courseWords({ steps, count, where, best, lost, back, still, stands }) {
  const times = (flag) => steps.reduce((sum, flags) => sum + (flags & flag ? 1 : 0), 0);
  const kinds = ["draft", "candidate"].filter((kind) => where & SEEN_IN[kind]).map((kind) => `${kind} ${times(SEEN_IN[kind])}`);
  const said = stands ? [`stood in ${count} of ${several(steps.length, "step")} (${kinds.join(", ")})`] : [];
  if (best) said.push(`alternative in ${several(times(SEEN_IN.alternative), "step")}: at best ${bestWords(best)}, step ${best.step}`);
  if (!stands && !best) said.push(`in the noise that ${several(times(SEEN_IN.noised), "step")} read`);
  if (still && lost >= 0) said.push(`back since step ${back}`);
  if (stands) said.push(still ? "still there at the end" : "gone at the end");
  return said.join(" · ");
}
