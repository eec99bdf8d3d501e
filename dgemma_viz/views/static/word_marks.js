// Marks that reach over whole words: a word of several tokens is marked if one of them is (dgemma_viz/passage.py).

// Scripts whose words have no space between them: each character stands for itself.
export const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/u;
const OF_WORDS = /[\p{L}\p{M}\p{N}_]/u;

const isOfWord = (character) => OF_WORDS.test(character) && !UNSPACED.test(character);
// A token without a text goes on with the character before it.
const isSameWord = (before, after) => !after || (isOfWord(Array.from(before).at(-1) ?? "") && isOfWord(Array.from(after)[0]));

// `texts`: what each position shows; returns for each position 0, 1, or 2 where a marked word begins.
export function markedWords(texts, marked) {
  const words = [0];
  let before = texts[0] ?? "";
  for (const text of texts.slice(1)) {
    words.push(words.at(-1) + (isSameWord(before, text) ? 0 : 1));
    before = text || before;
  }
  const found = new Set(words.filter((_, position) => marked[position]));
  return words.map((word, position) => (found.has(word) ? (word === words[position - 1] ? 1 : 2) : 0));
}
