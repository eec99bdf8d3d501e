// A Plotly figure in the page: drawn anew for another run, quantity or look; for another step only its marks move.

import { describeFigure } from "./figure_words.js";
import { showShapes } from "./moved_shapes.js";

const CONFIG = { displayModeBar: false, responsive: true };
const USUAL_HEIGHT = 450;

export const frameOf = (name, [x0, x1], [y0, y1], look) =>
  [[": halo", look.paper, 3], ["", look.ink, 1.25]].map(([end, color, width]) => ({
    type: "rect", name: `selected ${name}${end}`, xref: "x", yref: "y", x0, x1, y0, y1, line: { color, width },
  }));

export const markerAt = (step, look) => ({
  type: "line", name: "selected step", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1,
  line: { color: look.ink, width: 1.5, dash: "dot" },
});

// `clicked(x, y)` is told of a clicked point.
export function createFigure(el, clicked) {
  let own = [], drawing = Promise.resolve(), listening = false;
  const description = describeFigure(el);
  function show({ data, layout }, look, marks) {
    own = layout.shapes ?? [];
    el.style.height = `${layout.height ?? USUAL_HEIGHT}px`;
    const full = { ...layout, template: look.template, shapes: [...own, ...marks] };
    drawing = globalThis.Plotly.react(el, data, full, CONFIG).then(() => {
      description.drawn();
      if (listening) return;
      listening = true;
      el.on("plotly_click", ({ points: [point] }) => clicked(Number(point.x), Number(point.y)));
    });
  }
  const mark = (marks) => drawing.then(() => {
    showShapes(el, [...own, ...marks]);
    description.marked();
  });
  return { show, mark };
}
