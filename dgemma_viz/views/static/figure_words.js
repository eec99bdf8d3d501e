// What a Plotly figure shows, in words for a screen reader, made from what is drawn: its title, each map, line or group
// of bars with its ends and extremes, and what is selected. Written once the figure has come to rest.

const FIGURE_REST = 300; // ms
const MOST_PARTS = 12;
const MOST_BARS = 10;
const LONGEST_NAME = 40;

// Titles and names may hold Plotly's few tags; a parsed document of its own runs and loads nothing.
function plain(text) {
  const spaced = String(text ?? "").replaceAll(/<br\s*\/?>/gi, " ");
  return new DOMParser().parseFromString(spaced, "text/html").body.textContent.replaceAll(/\s+/g, " ").trim();
}

const short = (text) => (text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME - 1)}…` : text);
const shownValue = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : short(plain(value)));
const finite = (values) => Array.from(values ?? []).filter((value) => typeof value === "number" && Number.isFinite(value));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const sentence = (text) => (/[.?!:]$/.test(text) ? text : `${text}.`);

// As it was given: where nothing was, Plotly puts an invitation to type.
const axisOf = (figure, trace, letter) => figure.layout[`${letter}axis${(trace[`${letter}axis`] ?? letter).slice(1)}`] ?? {};
const axisWords = (figure, trace, letter) => short(plain(axisOf(figure, trace, letter).title?.text)) || (letter === "x" ? "columns" : "rows");

// What a value stands for on an axis or a colour bar: words, or the number that it is.
function named(value, { tickvals, ticktext } = {}) {
  const at = ticktext ? Array.from(tickvals ?? []).indexOf(value) : -1;
  return at < 0 ? shownValue(value) : short(plain(ticktext[at]));
}

// The text around a cell, where the hover of a map says it.
const passageOf = (map, row, column) => plain(map.customdata?.[row]?.[column]?.find?.((words) => String(words).startsWith("“")));

// Where the last row is lowest, with its text.
function lowestOf(trace) {
  const row = trace.z.length - 1, values = Array.from(trace.z[row] ?? []), least = Math.min(...finite(values));
  const text = Number.isFinite(least) && least < Math.max(...finite(values)) ? passageOf(trace, row, values.indexOf(least)) : "";
  return text && `; there lowest, ${shownValue(least)}, at ${text}`;
}

function mapWords(figure, trace) {
  const rows = Array.from(trace.z ?? [], finite), all = rows.flat(), columns = trace.z?.[0]?.length ?? 0;
  const size = `A map, ${axisWords(figure, trace, "x")} (${columns}) by ${axisWords(figure, trace, "y")} (${rows.length})`;
  if (!all.length) return `${size}, without values.`;
  const bar = trace.colorbar ?? {};
  if (bar.ticktext) {
    const counts = new Map();
    for (const value of all) counts.set(value, (counts.get(value) ?? 0) + 1);
    const said = [...counts].sort(([a], [b]) => a - b).map(([value, count]) => `${named(value, bar)} ${count}`);
    return `${size}: ${said.join(", ")}.`;
  }
  const [low, high] = all.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const filled = rows.filter((row) => row.length), [first, last] = [filled[0], filled.at(-1)].map(mean).map(shownValue);
  const way = filled.length > 1 ? `; on average ${first} in the first row and ${last} in the last` : "";
  return `${size}: values from ${shownValue(low)} to ${shownValue(high)}${way}${lowestOf(trace)}.`;
}

// Points in the order drawn, as pairs of place and value; bars may lie.
function pointsOf(trace) {
  const [places, values] = trace.orientation === "h" ? [trace.y, trace.x] : [trace.x, trace.y];
  const pairs = Array.from(values ?? [], (value, n) => [places?.[n] ?? n, value]);
  return pairs.filter(([, value]) => typeof value === "number" && Number.isFinite(value));
}

function lineWords(figure, trace) {
  const points = pointsOf(trace), name = short(plain(trace.name)), axis = axisOf(figure, trace, trace.orientation === "h" ? "y" : "x");
  if (!points.length) return "";
  const said = ([place, value]) => {
    const words = named(place, axis), number = words === shownValue(place) && Number.isFinite(place);
    return number ? `${shownValue(value)} at ${words}` : `${words} ${shownValue(value)}`;
  };
  const begin = name && !/^trace \d+$/.test(name) ? `${name}: ` : "";
  const values = points.map(([, value]) => value), bars = trace.type === "bar";
  if (!bars && values.length > 1 && new Set(values).size === 1) return `${begin}${shownValue(values[0])} throughout.`;
  if (points.length <= 3 || (bars && points.length <= MOST_BARS)) return `${begin}${points.map(said).join(", ")}.`;
  const sorted = [...points].sort(([, a], [, b]) => a - b), [low, high] = [sorted[0], sorted.at(-1)];
  const ends = new Set([values[0], values.at(-1)]);
  const extremes = [["lowest", low], ["highest", high]].filter(([, [, value]]) => !ends.has(value));
  const beyond = extremes.map(([word, point]) => `; ${word} ${said(point)}`).join("");
  return `${begin}from ${said(points[0])} to ${said(points.at(-1))}${beyond}.`;
}

function figureWords(figure) {
  const { title = {}, annotations = [] } = figure.layout, drawn = figure.data.filter(({ visible = true }) => visible === true);
  const said = [title.text, title.subtitle?.text].map(plain).filter(Boolean);
  const heads = said.map((text) => sentence(text.replace(/^colour: /, "")));
  const notes = drawn.length ? [] : annotations.map(({ text }) => plain(text)).filter(Boolean).map(sentence); // arrows have none
  const parts = drawn.map((trace) => (trace.type === "heatmap" ? mapWords : lineWords)(figure, trace)).filter(Boolean);
  const more = parts.length > MOST_PARTS ? [`And ${parts.length - MOST_PARTS} more.`] : [];
  return [...heads, ...notes, ...parts.slice(0, MOST_PARTS), ...more].join(" ");
}

function selectionWords(figure, marks) {
  const at = Object.fromEntries(marks.map(({ name, value, x }) => [name, value ?? x[0]]));
  const places = Object.entries(at).map(([name, place]) => `${name} ${place}`);
  const map = figure.data.find(({ type }) => type === "heatmap"), value = map?.z?.[at.step]?.[at.position];
  const text = map ? passageOf(map, at.step, at.position) : "";
  const shown = Number.isFinite(value) ? `, ${named(value, map.colorbar)}` : "";
  return places.length ? ` Selected: ${places.join(", ")}${shown}.${text && ` The draft there: ${text}.`}` : "";
}

// Makes the element an image with words: of the figure that was `drawn`, and of the selection's marks, which move.
export function describeFigure(el) {
  let timer = null, words = "", figure = null, marks = [];
  const write = () => {
    words ||= figureWords(figure);
    el.setAttribute("role", "img");
    el.setAttribute("aria-label", words + selectionWords(figure, marks));
  };
  const marked = (moved) => {
    marks = moved;
    clearTimeout(timer);
    if (figure) timer = setTimeout(write, FIGURE_REST);
  };
  const drawn = (whole, moved) => {
    if (whole !== figure) words = "";
    figure = whole;
    marked(moved);
  };
  return { drawn, marked, stop: () => clearTimeout(timer) };
}
