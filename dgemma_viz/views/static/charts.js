// The two charts beside a run, or beside two: a map of steps by positions, and curves over the steps.

import { element } from "./dom.js";
import { createFigure, plainFigure } from "./figure.js";
import { filledMap } from "./quantity_map.js";
import { columnFrame, rowFrame, stepLine } from "./selection_marks.js";

const UNPACKED = new WeakMap(); // figures of a place, unpacked once

function unpackedOnce(figure) {
  if (!UNPACKED.has(figure)) UNPACKED.set(figure, plainFigure(figure));
  return UNPACKED.get(figure);
}

// `plotly()` promises Plotly, when charts are first drawn; `step(step)` and `cell(position, step)` are told of clicks;
// `table` stands under the map.
export function createCharts({ plotly, step: toStep, cell, table }) {
  const mapPlace = element("div", { class: "dge-panel" }), curvesPlace = element("div", { class: "dge-panel" });
  const node = element("div", { class: "dge-columns" },
    element("div", { class: "dge-stack" }, mapPlace, table), element("div", {}, curvesPlace));
  let figures = null;

  function made() {
    const library = (figures ? null : plotly());
    figures ??= {
      map: createFigure(mapPlace, library, (x, y) => cell(Number(x), Number(y))),
      curves: createFigure(curvesPlace, library, (x) => toStep(Number(x))),
    };
    return figures;
  }

  function mapMarks(place, step, position) {
    const [rows, columns] = place.map_size ?? [place.steps, place.positions];
    const marks = rows ? [rowFrame(step, columns)] : [];
    return rows && position >= 0 && position < columns ? [...marks, columnFrame(position, rows)] : marks;
  }

  function draw({ page, place, stores, look: name, changed, anew, step, position, quantity }) {
    const { map, curves } = made(), look = page.looks[name], marks = mapMarks(place, step, position);
    node.classList.toggle("dge-one", Boolean(place.strip));
    if (anew || (changed.has("quantity") && !place.map)) {
      const figure = place.map ? unpackedOnce(place.map[name]) : filledMap(unpackedOnce(place.quantity_map), stores[0], quantity, name, look);
      mapPlace.dataset.quantity = place.map ? "difference" : quantity;
      map.show(figure, marks, look);
    } else map.mark(marks, look);
    if (anew) curves.show(unpackedOnce(place.curves[name]), [stepLine(step)], look);
    else curves.mark([stepLine(step)], look);
  }

  function close() {
    for (const figure of Object.values(figures ?? {})) figure.close();
  }
  return { node, draw, close };
}
