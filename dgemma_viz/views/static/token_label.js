// What stands in the cell of a token: its visible text, cut where it is long.

const LONGEST = 14;
const LED = /^␣[^␣]/u; // a leading space, which is drawn faintly so that words read as words

export function labelOf(text) {
  const led = LED.test(text), shown = led ? text.slice(1) : text;
  return { words: shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown, led };
}
