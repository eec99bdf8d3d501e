// A page of our own around the viewer: a file, or what a server sends. Its host says where contents and Plotly come from.

import { element } from "./dom.js";
import { createModel } from "./model.js";
import { createPlaces } from "./place.js";
import { createPlaceLink, readPlaceLink } from "./place_link.js";
import { createViewer } from "./viewer.js";

const CHOICES = { views: ["all", "canvas"] };
const USUAL = { quantity: "confidence", shows: "draft", token_layout: "auto", views: "all" };

// `contents`: of the page, with the `choices` of its words; `place(canvas, sample)` promises a frame; `part(name)`
// promises one of the parts that the contents do not bring; `plotly()` promises Plotly; `footer`: words under the views; `heading`: whether
// the title is to be seen.
export default function startPage(root, contents, { place, part, plotly, footer, heading }) {
  const choices = { ...CHOICES, ...contents.choices };
  const state = createModel({
    canvas: 0, sample: 0, step: 0, position: -1, playing: false, finding: -1, dark: false, ...USUAL,
  });
  // An address may be older than the file, or typed: what is not there is brought back to what is.
  const go = (said) => {
    const canvas = Math.min(said.canvas, contents.canvases - 1), sample = Math.min(said.sample, contents.samples - 1);
    state.put({ ...said, canvas: Math.max(0, canvas), sample: Math.max(0, sample) });
  };
  go(readPlaceLink(location.hash, choices, USUAL));
  const places = createPlaces(place), link = createPlaceLink(state, choices, USUAL);
  const views = element("div");
  root.replaceChildren(
    element("h1", { class: heading ? "" : "dgv-aside" }, contents.title),
    element("h2", { class: "dgv-aside" }, contents.names.length > 1 ? "Both runs" : "The run"),
    views, element("footer", {}, footer));
  const host = { page: () => contents, places: () => places, plotly, part, link, ownsPage: true };
  const viewer = createViewer({ root: views, state, host });
  link.follow((said) => (go(said), viewer.open()));
}
