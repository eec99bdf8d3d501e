// The passage of a text in which a token stands, as a reader would quote it: “… count_words(text: …”. The same rules as
// dgemma_viz/passage.py's: whole characters, line ends as ↵, white space as one space, cut at the ends of words.

import { readable } from "./token_text.js";
import { UNSPACED } from "./word_marks.js";

const MOST_OF_PASSAGE = 40;
const BLANK = /[ \t\r\n]/;
const trimmed = (words) => words.replace(/^[ ↵]+|[ ↵]+$/g, "") || words.trim();

class Passages {
  // `texts`: what each position shows as text.
  constructor(texts) {
    this.texts = texts;
    this.edges = [0];
    this.line = "";
    for (const text of texts) {
      for (const piece of text.match(/[ \t\r\n]+|[^ \t\r\n]+/g) ?? []) this.add(piece);
      this.edges.push(this.line.length);
    }
    this.line = this.line.replaceAll("\n", "↵");
    this.begins = [0];
    this.ends = [];
    for (let at = 1; at < this.line.length; at++) {
      const [before, here] = [this.line[at - 1], this.line[at]], free = UNSPACED.test(here) || UNSPACED.test(before);
      if (free || (before === " " && here !== " ")) this.begins.push(at);
      if (free || (here === " " && before !== " ")) this.ends.push(at);
    }
    this.ends.push(this.line.length);
  }

  // White space may go on over several tokens: one space, or a line end among spaces.
  add(piece) {
    if (!BLANK.test(piece)) this.line += piece;
    else {
      const before = /(?: \n)? ?$/.exec(this.line)[0], broken = before.includes("\n") || piece.includes("\n");
      this.line = `${this.line.slice(0, this.line.length - before.length)}${broken ? " \n " : " "}`;
    }
  }

  at(position, most = MOST_OF_PASSAGE) {
    if (!this.line.trim()) return "";
    let first = position;
    while (first > 0 && !this.texts[first]) first -= 1; // goes on with the character before it
    const from = Math.min(this.edges[first], this.line.length - 1), to = Math.max(this.edges[first + 1], from + 1);
    if (to - from > most) return this.quoted(from, `${trimmed(this.line.slice(from, from + most))} …`, to);
    const wanted = Math.max(0, to - Math.floor((most + to - from) / 2));
    const begin = Math.min(from, this.begins.find((place) => place >= wanted) ?? from);
    const end = Math.max(to, this.ends.findLast((place) => place <= begin + most) ?? to);
    return this.quoted(begin, trimmed(this.line.slice(begin, end)), end);
  }

  quoted(begin, words, end) {
    const before = this.line.slice(0, begin).trim() ? "… " : "", after = this.line.slice(end).trim() ? " …" : "";
    return `“${before}${words}${after}”`;
  }
}

const KNOWN = new WeakMap(); // passages of each step, by run

// The drafts of a step as a text; the prompt is what was read, and what fills the canvas behind the answer is left out.
function passagesOf(store, step) {
  if (!KNOWN.has(store)) KNOWN.set(store, new Map());
  const known = KNOWN.get(store), outside = new Set(store.words.outside);
  if (!known.has(step)) {
    const read = store.field("noised", step);
    const ids = Array.from(store.field("draft", step), (id, position) => (outside.has(position) ? read[position] : id));
    const shown = ids.map((id) => (store.ends.has(id) ? "" : id === store.words.mask ? "▒" : store.raw(id)));
    known.set(step, new Passages(readable(shown).texts));
  }
  return known.get(step);
}

// Empty where the draft only fills the canvas.
export function passageAt(store, step, position, most) {
  if (store.ends.has(store.field("draft", step)[position])) return "";
  return passagesOf(store, step).at(position, most);
}

const MOST_SAID = 3, APART = 6; // passages that are spoken, and positions that are spoken of apart

// Where drafts changed, in a sentence that begins with a space; empty where none did.
export function changesIn(store, step) {
  const flags = store.changed(step), outside = new Set(store.words.outside), places = [];
  for (const [position, flag] of flags.entries()) {
    if (!flag || outside.has(position) || position - (places.at(-1) ?? -Infinity) < APART) continue;
    if (passageAt(store, step, position)) places.push(position);
  }
  const said = places.slice(0, MOST_SAID).map((position) => passageAt(store, step, position));
  const more = places.length > MOST_SAID ? ` and in ${places.length - MOST_SAID} more places` : "";
  return said.length ? ` Changed: ${said.join(", ")}${more}.` : "";
}
