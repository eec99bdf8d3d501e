// A chart of a lab (chart.py): the figure that Python sends, drawn by the page's Plotly.

import { createFigure, plainFigure } from "./figure.js";
import { nameControls } from "./named_controls.js";
import { plotlyFor } from "./page_plotly.js";
import { watchTheme } from "./page_theme.js";

function render({ model, el }) {
  const figure = createFigure(el, plotlyFor(model), (x, y) => model.send({ clicked: [x, y] }));
  const draw = () => figure.show(plainFigure(model.get("spec")));
  model.on("change:spec", draw);
  draw();
  const unwatch = watchTheme(el, (dark) => {
    if (dark === model.get("dark")) return;
    model.set("dark", dark);
    model.save_changes();
  });
  return () => {
    model.off("change:spec", draw);
    unwatch();
    figure.close();
  };
}

export default { initialize: nameControls, render };
