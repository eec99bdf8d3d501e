// Loads Plotly once per page, for all charts (see chart.py). Its text comes as a trait, so nothing is fetched.

function initialize({ model }) {
  const slots = (globalThis.dgemmaVizPlotly ??= {});
  const { resolve, reject } = (slots[model.get("version")] ??= Promise.withResolvers());
  const url = URL.createObjectURL(new Blob([model.get("source")], { type: "text/javascript" }));
  // Not awaited: anywidget gives up on a model whose initialize takes more than two seconds.
  import(url).then((module) => resolve(module.default), reject).finally(() => URL.revokeObjectURL(url));
}

export default { initialize };
