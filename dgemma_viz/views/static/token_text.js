// The layout of text as it reads: line ends, indentation, each token as wide as its text. Tokens that hold parts of one
// character (bytes of it, or code points of an emoji) show it whole in the first of them, once they fit; bytes that fit
// nothing show themselves.

import { createTokenCells } from "./token_cells.js";
import { markedWords } from "./word_marks.js";

const CLUSTERS = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const DECODER = new TextDecoder("utf-8", { fatal: true });
const MASKED_TEXT = "▒▒";
const TINT = "42%";
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/gu; // and blank letters
const TOO_MANY_MARKS = /(?<=\p{M}{4})\p{M}/gu; // on one letter: they would cover other lines
const KEPT = new Set(["\n", "\t", "\u200d", "\u200c"]); // line ends, tabs, and what joins emoji and letters

const hex = (byte) => `⟨${byte.toString(16).toUpperCase().padStart(2, "0")}⟩`;
const codePoint = (character) => `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
export const madeVisible = (text) =>
  text.replace(UNSEEN, (character) => (KEPT.has(character) ? character : codePoint(character))).replace(TOO_MANY_MARKS, codePoint);
const LENGTHS = [[0x00, 0x80, 1], [0xc2, 0xe0, 2], [0xe0, 0xf0, 3], [0xf0, 0xf5, 4]]; // of characters by their first byte
const lengthOf = (byte) => LENGTHS.find(([from, to]) => from <= byte && byte < to)?.[2] ?? 0;

// The characters of neighbouring tokens, given as bytes: each stands at the token where it begins. `lone`: tokens of
// which a byte fits nothing; `part`: tokens that only go on with a character.
function decoded(tokens) {
  const bytes = tokens.flatMap((token, n) => Array.from(token, (byte) => ({ byte, n })));
  const texts = tokens.map(() => ""), lone = new Set();
  for (let at = 0; at < bytes.length; ) {
    const { byte, n } = bytes[at], length = lengthOf(byte);
    const whole = length ? bytes.slice(at, at + length) : [];
    let character = null;
    if (whole.length === length && length) {
      try {
        character = DECODER.decode(Uint8Array.from(whole, (one) => one.byte));
      } catch {
        character = null;
      }
    }
    if (character === null) lone.add(n);
    texts[n] += character ?? hex(byte);
    at += character === null ? 1 : length;
  }
  return { texts, lone };
}

// The characters of tokens, each at the token where it begins, and positions that are `lone` bytes. `raws`: texts, or bytes.
export function characters(raws) {
  const texts = raws.map((raw) => (typeof raw === "string" ? raw : "")), lone = new Set();
  for (let from = 0; from < raws.length; ) {
    let to = from;
    while (to < raws.length && typeof raws[to] !== "string") to += 1;
    if (to > from) {
      const found = decoded(raws.slice(from, to));
      found.texts.forEach((text, n) => (texts[from + n] = text));
      for (const n of found.lone) lone.add(from + n);
    }
    from = Math.max(to, from + 1);
  }
  return { texts, lone };
}

// What each position shows as text: `texts`, and positions that are `lone` bytes, or a `part` of the character before.
export function readable(raws) {
  const { texts, lone } = characters(raws);
  joinClusters(texts);
  const part = new Set([...texts.keys()].filter((position) => !texts[position] && raws[position].length));
  return { texts: texts.map((text) => madeVisible(text).replace(/^(?=\p{M})/u, "◌")), lone, part }; // a mark without a letter
}

// A cluster of code points that is one character to a reader goes whole to the token where it begins.
function joinClusters(texts) {
  const whole = texts.join("");
  if (/^[\x00-\x7f]*$/.test(whole)) return;
  const ends = [];
  texts.reduce((at, text) => (ends.push(at + text.length), at + text.length), 0);
  const shown = texts.map(() => "");
  let position = 0;
  for (const { segment, index } of CLUSTERS.segment(whole)) {
    while (index >= ends[position]) position += 1;
    shown[position] += segment;
  }
  shown.forEach((text, n) => (texts[n] = text));
}

const counted = (count, thing) => (count === 1 ? thing : `${count} ${thing}s`);

// What a screen reader is told of a text that it would not read: white space, or nothing.
function saidOf(text) {
  if (text.trim()) return null;
  const lines = text.split("\n").length - 1;
  if (lines) return counted(lines, "line end");
  return text ? counted(text.length, text.includes("\t") ? "tab" : "space") : "no text";
}

const DIFFERING = ["", "dgv-word-differs", "dgv-word-differs dgv-word-begins"];

function writeText(cells, { ids, masked, store, noise, differs }) {
  const { texts, lone, part } = readable(ids.map((id, position) => (masked[position] ? MASKED_TEXT : store.raw(id))));
  const words = differs && markedWords(texts, differs);
  for (const [position, entry] of cells.entries()) {
    entry.words = texts[position];
    entry.said = lone.has(position) ? "part of a character" : part.has(position) ? "part of the character before" : saidOf(texts[position]);
    entry.extra = [
      lone.has(position) ? "dgv-bytes" : "", texts[position] ? "" : "dgv-part", noise?.[position] ? "dgv-noise" : "",
      store.special.has(ids[position]) ? "dgv-special" : "", /^\n+$/.test(entry.words) ? "dgv-line-end" : "",
      words ? DIFFERING[words[position]] : "",
    ].filter(Boolean).join(" ");
  }
}

// A tint: the text stays ink on paper, whatever it stands on.
function tint(style, shade) {
  style.background = shade ? `color-mix(in srgb, ${shade.background} ${TINT}, transparent)` : "";
}

export const createTokenText = (act) => createTokenCells({ name: "reading", write: writeText, colour: tint }, act);
