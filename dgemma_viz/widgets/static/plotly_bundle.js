// The state of a PlotlyBundle: Plotly for all charts of the page.

import { offerPlotly } from "./page_plotly.js";

function initialize({ model }) {
  offerPlotly(model.get("version"), model.get("source"));
}

export default { initialize };
