// A Plotly figure: drawn anew by Plotly.react for another run, quantity or look; for another step only its marks move.
// All that is used of Plotly are its documented functions and events, the figure that it is given, and `layout`, in
// which it writes the ranges that it has chosen.

import { element } from "./dom.js";
import { describeFigure } from "./figure_words.js";
import { createMarks } from "./selection_marks.js";

const CONFIG = { displayModeBar: false, responsive: false, showSendToCloud: false }; // nothing of a run goes to a cloud
const USUAL_HEIGHT = 450;

const ARRAYS = {
  f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array,
};

// Plotly for Python writes arrays as base64; rows of rows of plain arrays, so that Plotly finds what is under the pointer.
function unpacked({ dtype, bdata, shape }) {
  const bytes = Uint8Array.from(atob(bdata), (character) => character.charCodeAt(0));
  const values = Array.from(new ARRAYS[dtype](bytes.buffer), (value) => (Number.isNaN(value) ? null : value));
  const columns = shape === undefined ? 0 : Number(String(shape).split(",").at(-1));
  if (!columns || columns === values.length) return values;
  return Array.from({ length: values.length / columns }, (_, row) => values.slice(row * columns, (row + 1) * columns));
}

export function plainFigure(value) {
  if (Array.isArray(value)) return value.map(plainFigure);
  if (value?.constructor !== Object) return value;
  if (typeof value.bdata === "string" && value.dtype in ARRAYS) return unpacked(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainFigure(inner)]));
}

// `plotly` promises Plotly; `clicked(x, y)` is told of a clicked point.
export function createFigure(el, plotly, clicked) {
  const plot = element("div"), marks = createMarks(), description = describeFigure(el);
  let drawing = Promise.resolve(), listening = false, gone = false, drawn = null, width = 0;
  el.classList.add("dgp-figure");
  el.append(plot, marks.node);

  const ready = () => {
    marks.place(plot);
    description.drawn(drawn, marks.shown());
  };

  // `figure`: data and layout; what was asked for last is drawn, and nothing twice at once.
  function show({ data, layout }, wantedMarks = [], look = null) {
    drawn = { data, layout: look ? { ...layout, template: look.template } : layout };
    const own = drawn;
    el.style.height = `${layout.height ?? USUAL_HEIGHT}px`;
    marks.show(wantedMarks, look);
    drawing = drawing.then(async () => {
      const library = await plotly;
      if (gone || own !== drawn) return;
      await library.react(plot, data, { ...own.layout, width: el.clientWidth || undefined }, CONFIG);
      width = el.clientWidth;
      if (!listening) {
        listening = true;
        plot.on("plotly_click", ({ points: [point] }) => clicked?.(point.x, point.y));
        plot.on("plotly_afterplot", ready);
      }
      ready();
    });
    return drawing;
  }

  function mark(wantedMarks, look) {
    marks.show(wantedMarks, look);
    marks.place(plot);
    description.marked(marks.shown());
  }

  // A chart that is drawn before its place is laid out, or whose place changes, takes its width from there.
  const observer = new ResizeObserver(([{ contentRect }]) => {
    const wanted = Math.round(contentRect.width);
    if (!listening || !wanted || wanted === width) return;
    width = wanted;
    drawing = drawing.then(async () => gone || (await plotly).relayout(plot, { width: wanted }));
  });
  observer.observe(el);

  function close() {
    gone = true;
    observer.disconnect();
    description.stop();
    if (listening) plotly.then((library) => library.purge(plot));
  }
  return { show, mark, close, drawn: () => drawing };
}
