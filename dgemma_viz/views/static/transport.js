// Play, step and scrub: buttons, slider, speed and keys. Knows steps, nothing of tokens.

import { element, icon, originOf, setText } from "./dom.js";

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z", previous: "M11 3v10L4 8z", play: "M4 2.5v11L13.5 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z", next: "M5 3v10l7-5z", last: "M11 3h2v10h-2zM3 3v10l7-5z",
};
const SPEEDS = [1, 2, 4, 8, 16];
const USUAL_SPEED = 4;

// `run` offers `last()`, `step()`, `phase()` (words for a step that is no denoising step), `go(step)`, `onPlaying(playing)`.
export function createTransport(run) {
  let timer = null;
  const move = (step) => (stop(), run.go(step));
  const button = (name, label, onclick) =>
    element("button", { type: "button", class: "dgv-button", "aria-label": label, title: label, onclick }, icon(ICONS[name]));
  const play = button("play", "Play", () => toggle());
  const buttons = element("span", { class: "dgv-buttons" },
    button("first", "First step (Home)", () => move(0)),
    button("previous", "Step back (←)", () => move(run.step() - 1)),
    play,
    button("next", "Step forward (→)", () => move(run.step() + 1)),
    button("last", "Last step (End)", () => move(run.last())));
  const slider = element("input", { type: "range", class: "dgv-slider", min: 0, step: 1, value: 0, "aria-label": "Denoising step" });
  const count = element("output", { class: "dgv-count" });
  const speed = element("select", { class: "dgv-select", "aria-label": "Steps per second", title: "Steps per second" });
  for (const n of SPEEDS) speed.append(element("option", { value: n, selected: n === USUAL_SPEED }, `${n} steps/s`));
  const node = element("div", { class: "dgv-bar", role: "group", "aria-label": "Playback of the denoising steps" },
    buttons, slider, count, speed);
  slider.addEventListener("input", () => move(Number(slider.value)));
  speed.addEventListener("change", () => timer && (stop(), start()));

  function start() {
    if (run.last() < 1) return;
    if (run.step() >= run.last()) run.go(0);
    timer = setInterval(() => (run.step() < run.last() ? run.go(run.step() + 1) : stop()), 1000 / Number(speed.value));
    show(true);
  }
  function stop() {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    show(false);
  }
  function show(playing) {
    play.replaceChildren(icon(playing ? ICONS.pause : ICONS.play));
    for (const name of ["aria-label", "title"]) play.setAttribute(name, playing ? "Pause (space)" : "Play (space)");
    run.onPlaying(playing);
  }
  const toggle = () => (timer === null ? start() : stop());

  function update() {
    const last = Math.max(0, run.last()), step = run.step();
    const phase = run.last() < 0 ? "" : run.phase();
    const place = run.last() < 0 ? "no steps" : last ? `step ${step} of ${last}` : "one step";
    const words = phase ? `${place}, ${phase}` : place;
    slider.max = last;
    slider.value = step;
    slider.setAttribute("aria-valuetext", words);
    slider.style.setProperty("--dgv-filled", `${last ? (100 * step) / last : 0}%`);
    count.style.minWidth = `${`step ${last} of ${last}`.length * 0.9}ch`;
    setText(count, words);
    for (const control of node.querySelectorAll("button, input")) control.disabled = run.last() < 1;
  }

  // Keys of the whole widget, after the token grid has taken its own.
  function onKey(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (originOf(event).closest("select") || run.last() < 0) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ",": -1, ".": 1 }[event.key];
    if (steps) move(run.step() + steps);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(run.last());
    else if (event.key === " " && !originOf(event).closest("button, summary")) toggle();
    else return;
    event.preventDefault();
  }

  show(false);
  return { node, update, onKey, stop, playing: () => timer !== null, play: (on) => on !== (timer !== null) && toggle() };
}
