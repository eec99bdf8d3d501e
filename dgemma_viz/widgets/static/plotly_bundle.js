// Loads Plotly once per page, for all charts (see chart.py). Its text comes as a trait, so nothing is fetched.

// After every change Plotly compares and reports to Python all of the figure: half the time that a change takes, for
// nothing, as no property is read there that was not set there.
function quiet({ FigureView, default: make }) {
  for (const report of ["_sendTraceDeltas", "_sendLayoutDelta"]) FigureView.prototype[report] = () => {};
  return make;
}

function initialize({ model }) {
  const slots = (globalThis.dgemmaVizPlotly ??= {});
  const { resolve, reject } = (slots[model.get("version")] ??= Promise.withResolvers());
  const url = URL.createObjectURL(new Blob([model.get("source")], { type: "text/javascript" }));
  // Not awaited: anywidget gives up on a model whose initialize takes more than two seconds.
  import(url).then((module) => resolve(quiet(module)), reject).finally(() => URL.revokeObjectURL(url));
}

export default { initialize };
