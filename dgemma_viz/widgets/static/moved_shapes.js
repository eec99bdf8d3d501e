// Moves the shapes of a drawn Plotly figure. Plotly itself redraws the whole figure for a shape's new place (some 25 ms
// each, Plotly 7.1): here only the paths change that differ. Anything else than new places is left to Plotly.

const ENDS = ["x0", "x1", "y0", "y1"];

// What a shape is apart from where.
const kindOf = (shape) => JSON.stringify(Object.entries(shape).filter(([name]) => !ENDS.includes(name)).sort());

// Pixels of a place in the figure; "paper" spans the plot.
function pixels(layout, shape) {
  const { l, t, w, h } = layout._size;
  const along = (letter, ref) => {
    if (ref === "paper") return letter === "x" ? (value) => l + w * value : (value) => t + h * (1 - value);
    const axis = layout[`${letter}axis${ref.slice(1)}`];
    return (value) => axis._offset + axis.r2p(value);
  };
  const x = along("x", shape.xref), y = along("y", shape.yref);
  return [x(shape.x0), x(shape.x1), y(shape.y0), y(shape.y1)];
}

const pathOf = (shape, [x0, x1, y0, y1]) => (shape.type === "line" ? `M${x0},${y0}L${x1},${y1}` : `M${x0},${y0}H${x1}V${y1}H${x0}Z`);

// Returns whether it could: same shapes, other places, and the figure is drawn.
function moved(el, wanted) {
  const shown = el.layout?.shapes ?? [], full = el._fullLayout;
  if (!full?._size || shown.length !== wanted.length || full.shapes?.length !== wanted.length) return false;
  if (wanted.some((shape, n) => !["line", "rect"].includes(shape.type) || kindOf(shape) !== kindOf(shown[n]))) return false;
  const changed = [...wanted.keys()].filter((n) => ENDS.some((end) => wanted[n][end] !== shown[n][end]));
  const paths = changed.map((n) => el.querySelector(`.shapelayer path[data-index="${n}"]`));
  if (paths.includes(null)) return false;
  for (const [at, n] of changed.entries()) {
    for (const end of ENDS) full.shapes[n][end] = wanted[n][end];
    paths[at].setAttribute("d", pathOf(wanted[n], pixels(full, wanted[n])));
  }
  el.layout.shapes = wanted;
  return true;
}

export function showShapes(el, wanted) {
  if (el._fullLayout && !moved(el, wanted)) globalThis.Plotly.relayout(el, { shapes: wanted, _doNotReportToPy: true });
}
