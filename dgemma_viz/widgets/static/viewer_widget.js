// The viewer in Jupyter and Voila (viewer.py): its state is the widget's model, its contents come as bytes.

import { readerChoices } from "./choices.js";
import { nameControls } from "./named_controls.js";
import { plotlyFor } from "./page_plotly.js";
import { createPlaces } from "./place.js";
import { takeStillAway } from "./still.js";
import { createViewer } from "./viewer.js";

const GROWING = ["packing", "data", "tail", "texts", "tail_texts", "words", "message", "live"];
const QUIET = new Set(["step", "position"]); // told to Python once they rest, unless it follows them
const TELLING_REST = 400; // ms

// Frames of the page that Python shows: the one that came with it, others asked for by message.
function createFrames(model) {
  const waiting = new Map(), parts = new Map();
  const numberOf = () => model.get("page").number;
  const keyOf = (number, canvas, sample) => `${number},${canvas},${sample}`;
  const answer = (content, buffers) => {
    const settle = (promised, value) => (content.problem ? promised?.reject(new Error(content.problem)) : promised?.resolve(value));
    const key = content?.place && keyOf(...content.place);
    if (key) settle(waiting.get(key), buffers[0]);
    waiting.delete(key);
    if (content?.part && content.number === numberOf()) settle(parts.get(content.part), content.made);
  };
  model.on("msg:custom", answer);
  function fetch(canvas, sample) {
    const asked = [numberOf(), canvas, sample], key = keyOf(...asked);
    if (key === keyOf(...model.get("frame_of"))) return model.get("frame");
    if (!waiting.has(key)) {
      waiting.set(key, Promise.withResolvers());
      model.send({ want: asked });
    }
    return waiting.get(key).promise;
  }
  function part(name) {
    parts.set(name, Promise.withResolvers());
    model.send({ want: name, number: numberOf() });
    return parts.get(name).promise;
  }
  return { fetch, part, close: () => model.off("msg:custom", answer) };
}

function render({ model, el }) {
  const choices = readerChoices(model, el), frames = createFrames(model), removers = [];
  const state = {
    get: choices.get,
    put(values) {
      const quiet = !model.get("followed") && Object.keys(values).every((name) => QUIET.has(name));
      choices.choose({ ...values, spoken_of: model.get("page").number }, quiet ? TELLING_REST : 0);
    },
    on: (event, act) => model.on(event, act),
    off: (event, act) => model.off(event, act),
  };
  let places = createPlaces(frames.fetch);
  const grows = () => model.get("live") && Object.fromEntries(GROWING.map((name) => [name, model.get(name)]));
  const host = {
    page: () => model.get("page"), places: () => places, plotly: () => plotlyFor(model), status: () => model.get("status"),
    part: frames.part, grows,
  };
  const viewer = createViewer({ root: el, state, host });
  removers.push(takeStillAway(model.get("picture")));

  // The traits of one message change one after the other: act once, after the last.
  function together(names, act) {
    let coming = false;
    const soon = () => {
      if (coming) return;
      coming = true;
      queueMicrotask(() => ((coming = false), act()));
    };
    for (const name of names) {
      model.on(`change:${name}`, soon);
      removers.push(() => model.off(`change:${name}`, soon));
    }
  }
  together(["page"], () => {
    choices.forget();
    places = createPlaces(frames.fetch);
    viewer.open();
  });
  together(["looked"], () => {
    places = createPlaces(frames.fetch); // with what was seen inside a step
    viewer.reload();
  });
  together(GROWING, viewer.grow);
  together(["status"], viewer.told);
  return () => {
    for (const remove of removers) remove();
    choices.leave();
    frames.close();
    viewer.close();
  };
}

export default { initialize: nameControls, render };
