// A FigureWidget whose Plotly comes from the shared bundle (see chart.py). Three things are seen to around Plotly's code:
// - What Python sends before the bundle is there is kept and replayed.
// - Updates made while no view exists are written into the figure's state with "_undefined_" for "this trace keeps what
//   it has", which cannot be drawn afterwards: hence `withGaps`.
// - A view that is taken away keeps listening, and fails at the next update: hence `heard`.
// Shapes, which mark what is selected, come in the trait `marks` and take a way of their own (moved_shapes.js).

import { showShapes } from "./moved_shapes.js";
import { watchTheme } from "./page_theme.js";

const MESSAGES = [
  "addTraces", "restyle", "relayout", "update", "animate", "deleteTraces", "moveTraces", "removeLayoutProps",
  "removeTraceProps",
];

const withGaps = (value) => {
  if (value === "_undefined_") return undefined;
  if (Array.isArray(value)) return value.map(withGaps);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withGaps(inner)]));
};

export default () => {
  let figure, ownModel, heard = [];

  // The model as Plotly's code gets it.
  const around = (model) => ({
    ...model,
    get: (name) => (name.startsWith("_py2js_") ? withGaps(model.get(name)) : model.get(name)),
    on(name, act) {
      heard.push([name, act]);
      model.on(name, act);
    },
  });

  function initialize(context) {
    const { model } = context, early = [];
    ownModel = model;
    // A view that is drawn later is drawn from the figure's state.
    model.on("change:marks", () => (model.get("_widget_layout").shapes = structuredClone(model.get("marks").shapes)));
    const listeners = MESSAGES.map((message) => {
      const name = `_py2js_${message}`, keep = () => model.get(name) && early.push([name, model.get(name)]);
      model.on(`change:${name}`, keep);
      return () => model.off(`change:${name}`, keep);
    });
    const slots = (globalThis.dgemmaVizPlotly ??= {});
    const { promise } = (slots[model.get("plotly_version")] ??= Promise.withResolvers());
    figure = promise.then((make) => {
      const made = make();
      made.initialize({ ...context, model: around(model) });
      for (const stop of listeners) stop();
      for (const [name, value] of early) {
        model.set(name, value);
        model.set(name, null);
      }
      return made;
    });
  }

  async function render(context) {
    const { el, model } = context;
    // Plotly forgets a figure's own height when it adapts the width, and asks the element for both.
    const keepHeight = () => (el.style.height = `${model.get("pixels_high")}px`);
    keepHeight();
    model.on("change:pixels_high", keepHeight);
    const drawn = await figure;
    heard = [];
    const leave = drawn.render(context), listeners = heard;
    const mark = () => showShapes(el, structuredClone(model.get("marks").shapes));
    model.on("change:marks", mark);
    // A chart drawn before its place is laid out has a wrong width; by itself Plotly only follows the window.
    let width = 0;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width || contentRect.width === width) return;
      width = contentRect.width;
      requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
    });
    observer.observe(el);
    const unwatch = watchTheme(el, (dark) => {
      if (dark === ownModel.get("dark")) return;
      ownModel.set("dark", dark);
      ownModel.save_changes();
    });
    return () => {
      observer.disconnect();
      unwatch();
      model.off("change:marks", mark);
      for (const [name, act] of listeners) ownModel.off(name, act);
      leave?.();
    };
  }

  return { initialize, render };
};
