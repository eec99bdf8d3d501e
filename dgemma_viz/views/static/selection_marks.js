// What is selected, drawn over a Plotly figure: a line at a step, frames around a row and a column. An overlay of our own
// moves in no time; a shape of Plotly's would have it redraw the figure (some 25 ms each, Plotly 7.1).

const SVG = "http://www.w3.org/2000/svg";
const PLOT_AREA = ".nsewdrag[data-subplot]"; // the rectangle of each pair of axes, under the pointer

export const stepLine = (step) => ({ name: "step", x: [step, step] });
export const rowFrame = (step, columns) => ({ name: "step", x: [-0.5, columns - 0.5], y: [step - 0.5, step + 0.5], value: step });
export const columnFrame = (position, rows) =>
  ({ name: "position", x: [position - 0.5, position + 0.5], y: [-0.5, rows - 0.5], value: position });

const shape = (tag, attributes) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

// Pixels of a value on a drawn axis, which Plotly has given its range.
function scale({ range, type }, from, size) {
  if (!range) return null;
  const number = (value) => (type === "log" ? Math.log10(value) : Number(value));
  const [low, high] = range.map(Number);
  return (value) => from + (size * (number(value) - low)) / (high - low);
}

const rectangle = (node) => Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, Number(node.getAttribute(name))]));

function drawMark({ x, y }, areas, layout) {
  const [first] = areas, along = scale(layout.xaxis ?? {}, first.x, first.width);
  if (!along) return [];
  const [x0, x1] = x.map(along);
  if (!y) {
    const top = Math.min(...areas.map((area) => area.y)), bottom = Math.max(...areas.map((area) => area.y + area.height));
    return [shape("path", { class: "dgp-line", d: `M${x0},${top}V${bottom}` })];
  }
  const up = scale(layout.yaxis ?? {}, first.y + first.height, -first.height);
  if (!up) return [];
  const [y0, y1] = y.map(up), place = { x: x0, y: Math.min(y0, y1), width: x1 - x0, height: Math.abs(y1 - y0) };
  return ["dgp-halo", "dgp-frame"].map((name) => shape("rect", { class: name, ...place }));
}

export function createMarks() {
  const node = shape("svg", { class: "dgp-marks", "aria-hidden": "true" });
  let wanted = [];

  function show(marks, look) {
    wanted = marks;
    if (!look) return;
    node.style.setProperty("--dgp-ink", look.ink);
    node.style.setProperty("--dgp-paper", look.paper);
  }
  // On the drawn figure; nothing where it is not drawn, or has no axes.
  function place(plot) {
    const areas = [...plot.querySelectorAll(PLOT_AREA)].map(rectangle);
    node.replaceChildren(...(areas.length && plot.layout ? wanted.flatMap((mark) => drawMark(mark, areas, plot.layout)) : []));
  }
  return { node, show, place, shown: () => wanted };
}
