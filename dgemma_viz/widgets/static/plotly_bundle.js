// Loads Plotly once per page, for all charts (see chart.py). Its text comes as a trait,
// compressed, so nothing is fetched.

// After every change Plotly compares and reports to Python all of the figure: half the time that a change takes, for
// nothing, as no property is read there that was not set there.
function quiet({ FigureView, default: make }) {
  for (const report of ["_sendTraceDeltas", "_sendLayoutDelta"]) FigureView.prototype[report] = () => {};
  return make;
}

async function loaded(compressed) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).arrayBuffer();
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return import(url).finally(() => URL.revokeObjectURL(url));
}

function initialize({ model }) {
  const slots = (globalThis.dgemmaVizPlotly ??= {});
  const { resolve, reject } = (slots[model.get("version")] ??= Promise.withResolvers());
  // Not awaited: anywidget gives up on a model whose initialize takes more than two seconds.
  loaded(model.get("source")).then((module) => resolve(quiet(module)), reject);
}

export default { initialize };
