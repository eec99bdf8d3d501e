// A FigureWidget whose Plotly comes from the shared bundle (see chart.py). Five things are seen to around Plotly's code:
// - What Python sends before the bundle is there is kept and replayed.
// - What it sent before this module was there is lost: hence `caughtUp`.
// - Updates made while no view exists are written into the figure's state with "_undefined_" for "this trace keeps what
//   it has", which cannot be drawn afterwards: hence `withGaps`.
// - Arrays cross packed (wire_arrays.js).
// - A view that is taken away keeps listening, and fails at the next update: hence `heard`.
// Shapes, which mark what is selected, come in the trait `marks` and take a way of their own (moved_shapes.js).

import { describeFigure } from "./figure_words.js";
import { showShapes } from "./moved_shapes.js";
import { nameControls } from "./named_controls.js";
import { watchTheme } from "./page_theme.js";
import { unpacked } from "./wire_arrays.js";

const MESSAGES = [
  "addTraces", "restyle", "relayout", "update", "animate", "deleteTraces", "moveTraces", "removeLayoutProps",
  "removeTraceProps",
];

const LONGEST_WAIT = 5_000; // milliseconds for a kernel that is busy, or gone

const withGaps = (value) => {
  if (value === "_undefined_") return undefined;
  if (Array.isArray(value)) return value.map(withGaps);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withGaps(inner)]));
};

export default () => {
  let figure, ownModel, heard = [];

  // A message as Plotly understands it: read by the figure, and by each of its views.
  const read = new WeakMap();
  function understood(message) {
    if (message && !read.has(message)) read.set(message, withGaps(unpacked(message)));
    return read.get(message);
  }

  // The model as Plotly's code gets it.
  const around = (model) => ({
    ...model,
    get: (name) => (name.startsWith("_py2js_") ? understood(model.get(name)) ?? null : model.get(name)),
    on(name, act) {
      heard.push([name, act]);
      model.on(name, act);
    },
  });

  // Which changes the state held when it was sent, and which Python has made since.
  const behind = (model) => `${[model.get("_last_layout_edit_id"), model.get("marks").number]}` !== `${model.get("as_of")}`;

  // Soon: the state of the figure is whole.
  const caughtUp = (model) => new Promise((resolve) => {
    if (!behind(model)) return resolve();
    const whole = () => (model.off("change:as_of", whole), resolve());
    model.on("change:as_of", whole);
    setTimeout(whole, LONGEST_WAIT);
    model.send("state");
  });

  function initialize(context) {
    const { model } = context, early = [];
    ownModel = model;
    nameControls();
    // In place: Plotly's code keeps the figure's state in it.
    const unpack = () => model.get("_widget_data").forEach((trace, n, data) => (data[n] = unpacked(trace)));
    unpack();
    model.on("change:_widget_data", unpack);
    // A view that is drawn later is drawn from the figure's state.
    model.on("change:marks", () => (model.get("_widget_layout").shapes = structuredClone(model.get("marks").shapes)));
    const listeners = MESSAGES.map((message) => {
      const name = `_py2js_${message}`, keep = () => model.get(name) && early.push([name, model.get(name)]);
      model.on(`change:${name}`, keep);
      return () => model.off(`change:${name}`, keep);
    });
    const slots = (globalThis.dgemmaVizPlotly ??= {});
    const { promise } = (slots[model.get("plotly_version")] ??= Promise.withResolvers());
    figure = Promise.all([promise, caughtUp(model)]).then(([make]) => {
      const made = make();
      made.initialize({ ...context, model: around(model) });
      for (const stop of listeners) stop();
      const [known] = model.get("as_of");
      for (const [name, value] of early.filter(([, { layout_edit_id: id }]) => !(id <= known))) {
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
    const description = describeFigure(el);
    const describe = ({ detail }) => {
      if (detail.element !== el) return;
      el.on("plotly_afterplot", description.drawn);
      description.drawn();
    };
    document.addEventListener("plotlywidget-after-render", describe);
    const leave = drawn.render(context), listeners = heard;
    const mark = () => {
      showShapes(el, structuredClone(model.get("marks").shapes));
      description.marked();
    };
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
      document.removeEventListener("plotlywidget-after-render", describe);
      description.stop();
      model.off("change:marks", mark);
      for (const [name, act] of listeners) ownModel.off(name, act);
      leave?.();
    };
  }

  return { initialize, render };
};
