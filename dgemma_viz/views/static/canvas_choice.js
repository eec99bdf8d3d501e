// Which canvas of which sample is looked at: a list of each, and where there are several canvases a strip of them, as high
// as the steps that they took, with what was found in them.

import { element } from "./dom.js";

const COUNTS = { canvas: "canvases", sample: "samples" }; // in the page: how many there are
const LISTS = { canvas: "Canvas", sample: "Sample" };
const WORST = ["error", "warning", "note"];

// `choose(name, value)` is called with "canvas" or "sample".
export function createCanvasChoice(choose) {
  const lists = element("div", { class: "dge-choice" });
  const strip = element("div", { class: "dge-strip", role: "group", "aria-label": "Canvases, as high as the steps that they took" });
  const node = element("div", { class: "dge-stack" }, lists, strip);
  let page = {}, bars = [];

  function open(opened) {
    page = opened;
    lists.replaceChildren(...Object.keys(COUNTS).map(listOf).filter(Boolean));
    strip.hidden = !(page.canvases > 1 && page.steps);
    bars = strip.hidden ? [] : page.steps[0].map((_, canvas) => barOf(canvas));
    strip.replaceChildren(...bars.map(({ button }) => button));
  }

  function listOf(name) {
    const count = page[COUNTS[name]] ?? 0, words = LISTS[name];
    if (count < 2) return null;
    const select = element("select", { name, class: "dge-select", "aria-label": words, onchange: () => choose(name, Number(select.value)) });
    for (let n = 0; n < count; n++) select.append(element("option", { value: n }, `${n} (of ${count})`));
    return element("label", {}, `${words} `, select);
  }

  function barOf(canvas) {
    const height = element("i"), mark = element("b");
    const onclick = () => choose("canvas", canvas);
    const button = element("button", { type: "button", class: "dge-canvas-bar", tabindex: -1, onclick }, mark, height);
    return { button, height, mark };
  }

  // `found`: entries and places of the findings (views/findings.py).
  function show({ canvas, sample }, found) {
    const chosen = { canvas, sample };
    for (const select of lists.querySelectorAll("select")) select.value = chosen[select.name];
    const most = Math.max(1, ...(page.steps ?? []).flat());
    bars.forEach(({ button, height, mark }, n) => {
      const steps = page.steps[sample]?.[n] ?? 0, here = severitiesOf(found, n, sample);
      height.style.setProperty("--dge-share", steps / most);
      mark.className = here.length ? `dge-found-${here[0]}` : "";
      const findings = here.length ? `, ${here.length === 1 ? "1 finding" : `${here.length} findings`}` : "";
      const words = `Canvas ${n}: ${steps === 1 ? "1 step" : `${steps} steps`}${findings}`;
      if (button.title !== words) button.title = words;
      button.setAttribute("aria-label", words);
      if (n === canvas) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.tabIndex = n === canvas ? 0 : -1;
    });
  }

  // Severities of what was found in a canvas, worst first.
  function severitiesOf(found, canvas, sample) {
    const there = (found?.places ?? []).flatMap((place, n) =>
      (place.canvas === canvas && place.sample === sample ? [found.entries[n].severity] : []));
    return there.sort((a, b) => WORST.indexOf(a) - WORST.indexOf(b));
  }

  // Arrows walk along the strip; the canvas that they reach is shown.
  strip.addEventListener("keydown", (event) => {
    const at = bars.findIndex(({ button }) => button === event.target), last = bars.length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const wanted = Math.max(0, Math.min(last, to));
    choose("canvas", wanted);
    bars[wanted].button.focus();
  });

  return { node, open, show, empty: () => !lists.children.length };
}
