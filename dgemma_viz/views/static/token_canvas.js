// The token canvas: one run as coloured, marked text with its own play, step and scrub controls. It repaints from its own
// copy of the run first and tells the model afterwards. Its model (model.js) holds the run (`packing`, `data`, `texts`,
// `words`, `message`, `differing`; `tail`, `tail_texts` and `live` of one that still grows), what is looked at (`step`,
// `position`, `quantity`, `shows`, `token_layout`, `playing`), `named` positions (and `named_by` what), `scales`, `dark` and the canvas's `title`.

import { QUANTITIES, ramp } from "./colour.js";
import { element, originOf, setText } from "./dom.js";
import { createKeysHelp } from "./keys_help.js";
import { createLegend } from "./legend.js";
import { changesIn } from "./passage.js";
import { RESTRAINTS, restraintsAt } from "./restraints.js";
import { RunStore } from "./run_store.js";
import { createTokenGrid } from "./token_grid.js";
import { createTokenText } from "./token_text.js";
import { createTooltip } from "./tooltip.js";
import { createTransport } from "./transport.js";

const HINT = "Point at a token for its alternatives, click to pin it; all of it works by keyboard, too.";
const REST = 400; // ms without another step before a screen reader is told where it stands
const RUN_TRAITS = ["packing", "data", "tail", "texts", "tail_texts", "message", "live", "differing", "words"];
const LOOK_TRAITS = ["quantity", "shows", "dark", "scales"];

const LAYOUTS = { grid: createTokenGrid, reading: createTokenText };

// `keys`: more keys for the table of keys, as pairs of key and words; `paper` is to hold the tokens.
export function renderTokenCanvas(model, el, keys = [], paper = element("div", { class: "dgv-paper" })) {
  // `asked` is beyond the last step where a longer run that this one is compared with has been moved there.
  let store, shades, step = 0, asked = 0, characters = 0, following = true, loading = false, counts = {}, telling = null;
  const last = () => store.steps - 1;
  const within = (wanted) => Math.max(0, Math.min(last(), wanted));
  const put = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
  };

  const transport = createTransport({
    last,
    step: () => step,
    phase: () => store.phase(step),
    go(wanted) {
      following = within(wanted) === last();
      if (within(wanted) === step) return;
      paint(within(wanted));
      put({ step });
    },
    onPlaying(playing) {
      announce();
      if (model.get("playing") !== playing) put({ playing });
    },
  });
  const tooltip = createTooltip();
  const legend = createLegend((trait, value) => put({ [trait]: value }));
  const acts = {
    pin: (position) => put({ position: model.get("position") === position ? -1 : position }),
    point: (cell, position) => tooltip.show(cell, store, step, position),
    leave: () => tooltip.hide(),
  };
  let tokens = LAYOUTS[model.get("token_layout")](acts);
  const message = element("p", { class: "dgv-message" });
  const help = createKeysHelp(keys), hint = element("div", { class: "dgv-hint" }, element("p", {}, HINT), help.node);
  const spoken = element("div", { class: "dgv-aside", "aria-live": "polite" });
  const root = element(
    "div",
    { class: "dgv", role: "region", "aria-label": model.get("title") ?? "Token canvas" },
    transport.node, legend.node, message, paper, hint, spoken, tooltip.node,
  );
  paper.append(tokens.node);

  function paint(wanted) {
    asked = wanted;
    step = within(wanted);
    transport.update();
    if (last() < 0) return;
    const started = performance.now();
    // Outside of the output stands the prompt: what the model would have put there is of no interest.
    const outside = new Set(store.words.outside), inside = (flag, position) => (outside.has(position) ? 0 : flag);
    const decision = store.field("decision", step), differs = store.differs(asked);
    const changed = store.changed(step).map(inside), takenBack = store.takenBack(step).map(inside);
    const read = store.field("noised", step), shown = store.field(model.get("shows"), step);
    const ids = Array.from(shown, (id, position) => (outside.has(position) ? read[position] : id));
    const masked = ids.map((id) => id === store.words.mask);
    const noise = model.get("shows") === "noised" ? store.noise(step) : decision.map((code) => (code === 0 ? 1 : 0));
    const shares = QUANTITIES[model.get("quantity")].share(store, step);
    const restraints = restraintsAt(store, step);
    tokens.paint({ at: step, ids, restraints, store, noise, shares, shades, decision, changed, takenBack, differs, masked, outside });
    const decided = decision.filter((_, position) => !outside.has(position));
    counts = legend.count({ decided, changed, "taken-back": takenBack, ...(differs && { differs }), ...restraints });
    tooltip.refresh(store, step);
    root.dataset.step = step;
    performance.measure("dgemma_viz:paint", { start: started });
    if (!transport.playing()) announce();
  }

  // In words, once the steps have come to rest: nothing is said of those that pass.
  function announce() {
    clearTimeout(telling);
    telling = setTimeout(tell, REST);
  }

  function tell() {
    if (!store || last() < 0 || transport.playing()) return;
    const tokens = store.positions - (store.words.outside?.length ?? 0);
    const words = `${counts.accepted} of ${tokens} tokens ${store.decisionWords(1)}, ${counts.changed} drafts changed`;
    const others = "differs" in counts ? `, ${counts.differs} differ from the other run` : "";
    const held = RESTRAINTS.filter((kind) => counts[kind]).map((kind) => `, ${counts[kind]} ${kind}`).join("");
    setText(spoken, `Step ${step} of ${last()}: ${words}${others}${held}.${changesIn(store, step)}`);
  }

  const theme = () => root.classList.toggle("dgv-dark", model.get("dark"));

  function style() {
    const quantity = model.get("quantity"), stops = model.get("scales")[model.get("dark") ? "dark" : "light"][quantity];
    shades = ramp(stops);
    legend.style(store, { quantity, shows: model.get("shows"), token_layout: model.get("token_layout") }, stops);
    paper.dataset.layout = model.get("token_layout");
  }

  // The same step in another layout; what was pinned and named stays.
  function layOut() {
    const before = tokens;
    tokens = LAYOUTS[model.get("token_layout")](acts);
    before.node.replaceWith(tokens.node);
    tooltip.hide();
    load();
  }

  const nameTokens = () => legend.mark(tokens.name(model.get("named") ?? []), model.get("named_by"));

  // A run that still grows keeps its widths and follows its newest step, unless the reader has stepped back.
  function load() {
    const live = model.get("live");
    const texts = { ...model.get("texts"), ...model.get("tail_texts") };
    const chunks = [model.get("data"), model.get("tail")];
    store = new RunStore(model.get("packing"), chunks, texts, model.get("differing"), model.get("words") ?? {});
    if (live && !store.steps) following = true; // a run begins
    const wanted = live ? (following ? Infinity : step) : model.get("step");
    characters = live ? Math.max(characters, store.cellCharacters()) : store.cellCharacters();
    tokens.resize(store.positions, characters);
    tokens.pin(model.get("position"));
    nameTokens();
    const words = model.get("message") || (last() < 0 ? "No denoising steps to show." : "");
    setText(message, words);
    message.hidden = !words;
    for (const part of [paper, legend.node]) part.hidden = last() < 0;
    hint.hidden = last() < 0;
    if (last() < 0) tooltip.hide();
    style();
    paint(live ? within(wanted) : wanted);
  }

  const removers = [];
  const react = (names, act) => {
    for (const name of names) {
      model.on(`change:${name}`, act);
      removers.push(() => model.off(`change:${name}`, act));
    }
  };
  // The traits of one message change one after the other: load once, after the last.
  react(RUN_TRAITS, () => {
    if (loading) return;
    loading = true;
    queueMicrotask(() => {
      loading = false;
      load();
    });
  });
  react(LOOK_TRAITS, () => (theme(), style(), paint(asked)));
  react(["step"], () => !loading && model.get("step") !== asked && last() >= 0 && paint(model.get("step")));
  react(["position"], () => tokens.pin(model.get("position")));
  react(["token_layout"], layOut);
  react(["named", "named_by"], nameTokens);
  react(["playing"], () => transport.play(model.get("playing")));

  // Heard before JupyterLab's command mode, which listens on the document, and kept from it: Enter would start editing
  // the notebook cell. Keys that mean nothing here pass on, so that saving or running still works.
  function onKey(event) {
    if (!root.contains(originOf(event))) return;
    tokens.onKey(event);
    if (!event.defaultPrevented) transport.onKey(event);
    help.onKey(event);
    const withOthers = event.ctrlKey || event.metaKey || event.altKey || originOf(event).closest("select");
    if (event.key === "t" && !event.defaultPrevented && !withOthers) {
      put({ token_layout: model.get("token_layout") === "grid" ? "reading" : "grid" });
      event.preventDefault();
    }
    if (event.defaultPrevented || event.key === "Enter") event.stopImmediatePropagation();
  }
  const hide = () => tooltip.hide();
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("scroll", tooltip.scrolled, { passive: true });
  el.append(root);
  theme();
  load();
  removers.push(
    () => (clearTimeout(telling), window.removeEventListener("keydown", onKey, true)),
    () => window.removeEventListener("scroll", tooltip.scrolled),
    transport.stop,
    hide,
  );
  return () => removers.forEach((remove) => remove());
}
