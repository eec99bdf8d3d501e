// What the model did inside the step that is shown, at the pinned position: what each depth makes of it, whom it reads,
// through which experts it went, and what the step before handed over. Of what Python tells (views/insides.py); texts go in as text.

import { element, setText } from "./dom.js";
import { bar, tag } from "./inspector.js";
import { probability } from "./run_store.js";

const LISTED = 8; // tokens that are read most, in the table; they have their number in the text, too
const STRONGEST = 45; // per cent of colour behind the token that is read most: the text on it stays readable

const inNats = (value) => (Number.isFinite(value) ? `${value.toFixed(2)} nats` : "unknown");
const percent = (share) => (share > 0 && share < 0.0005 ? "<0.1 %" : `${(share * 100).toFixed(1)} %`);

// The part of an array that belongs to `place` of its first axes.
function along({ values, shape }, ...place) {
  const size = shape.slice(place.length).reduce((a, b) => a * b, 1);
  const at = place.reduce((sum, index, axis) => sum * shape[axis] + index, 0);
  return values.subarray(at * size, (at + 1) * size);
}

// `rows`: elements of cells, the first is the row's head.
function tableOf(name, heads, rows) {
  const head = element("tr", {}, ...heads.map((one) => (one ? element("th", { scope: "col" }, one) : element("td"))));
  const body = rows.map(({ cells: [first, ...others], now, named }) =>
    element("tr", { class: named ? "dge-named" : "", "aria-current": now ? "true" : null },
      element("th", { scope: "row" }, first), ...others.map((one) => element("td", {}, one))));
  const table = element("table", { class: "dge-table" }, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "dge-history dgi-table", tabindex: 0, role: "region", "aria-label": name }, table);
}

const tokenWord = (text) => element("span", { class: "dgi-token" }, text);

function lensOf(seen, position) {
  const { depth, stands, best, probability: chance, entropy } = seen.lens, last = depth.length - 1;
  const at = (array, row) => along(array, row, position)[0];
  const named = (value, isLast) => `${value}${value === 0 ? ", what enters" : isLast ? ", the answer" : ""}`;
  const rows = depth.map((value, row) => ({
    now: value === stands[position], named: at(best, row) === at(best, last),
    cells: [
      named(value, row === last) + (value === stands[position] ? " ◆" : ""), tokenWord(textIn(seen, at(best, row))),
      bar(at(chance, row)), probability(at(chance, row)), inNats(at(entropy, row)),
    ],
  }));
  return [
    element("h4", {}, "If the model stopped at a depth ", tag("measured")),
    element("p", { class: "dgi-note" }, `The draft stands from depth ${stands[position]} on (◆) `, tag("derived")),
    tableOf("What each depth makes of the position", ["depth", "best token", "", "probability", "entropy"], rows),
  ];
}

const textIn = (seen, id) => seen.texts[id] ?? `⟨${id}⟩`;

// What stands at a place that can be read, and where that is in words.
function readAt(seen, place) {
  const front = seen.context.length, there = place - front;
  if (there < 0) return { id: seen.context[place], where: `in front, ${place}` };
  return { id: seen.noised[there], where: `canvas ${there}, ${seen.origin[there]}` };
}

function attentionOf(seen, position, layer) {
  const { place, share, sources, by_source } = seen.attention;
  const places = along(place, layer, position), shares = along(share, layer, position), most = shares[0] || 1;
  const read = new Map(Array.from(places, (one, rank) => [one, { rank, share: shares[rank] }]));
  const listed = Array.from(places.slice(0, LISTED)).filter((one) => read.get(one).share > 0);
  const rows = listed.map((one, rank) => {
    const { id, where } = readAt(seen, one);
    return { cells: [String(rank + 1), tokenWord(textIn(seen, id)), where, bar(shares[rank]), percent(shares[rank])] };
  });
  const told = listed.reduce((sum, one) => sum + read.get(one).share, 0);
  rows.push({ cells: ["", "all other tokens", tag("derived"), bar(1 - told), percent(Math.max(0, 1 - told))] });
  const marked = (id, at) => {
    const found = read.get(at), rank = found && listed.includes(at) ? element("sup", {}, String(found.rank + 1)) : null;
    const here = at === seen.context.length + position;
    const node = element("span", { class: `dgi-token${here ? " dgi-here" : ""}`, title: percent(found?.share ?? 0) }, textIn(seen, id), rank);
    if (found) node.style.setProperty("--dgi-read", `${((found.share / most) * STRONGEST).toFixed(1)}%`);
    return node;
  };
  const front = seen.context.map((id, at) => (id < 0 ? null : marked(id, at))).filter(Boolean);
  const canvas = seen.noised.map((id, at) => marked(id, seen.context.length + at));
  const strip = (name, tokens) =>
    element("div", { class: "dgi-text", tabindex: 0, role: "region", "aria-label": name }, ...tokens);
  const summary = sources.map((name, n) => [name, along(by_source, layer, position)[n]]).filter(([, part]) => part > 0);
  return [
    element("p", { class: "dgi-note" }, "In sum: ", summary.map(([name, part]) => `${name} ${percent(part)}`).join(" · "), " ", tag("derived")),
    element("div", { class: "dge-columns dge-narrow" },
      element("div", { class: "dgi-reading" },
        front.length ? element("h5", {}, "In front of the canvas") : null,
        front.length ? strip("What is read in front of the canvas", front) : null,
        element("h5", {}, "On the canvas, as the step read it"),
        strip("What is read on the canvas", canvas)),
      tableOf("Tokens that are read most", ["", "token", "where", "", "share"], rows)),
  ];
}

function expertsOf(seen, position) {
  const { layer, of, chosen, weight, entropy } = seen.experts;
  const rows = layer.map((value, row) => {
    const factors = along(weight, row, position);
    const names = Array.from(along(chosen, row, position), (expert, n) => `${expert} (× ${factors[n].toFixed(2)})`);
    return { cells: [String(value), names.join(", "), inNats(along(entropy, row, position)[0])] };
  });
  return [
    element("h4", {}, `Experts, of ${of} `, tag("measured")),
    tableOf("Experts of the position", ["layer", "experts (factor)", "undecided"], rows),
  ];
}

function handedOf(seen, position) {
  const { entropy, ids, probability: shares } = seen.handed, given = along(shares, position);
  const rows = Array.from(along(ids, position), (id, n) => ({ cells: [tokenWord(textIn(seen, id)), bar(given[n]), probability(given[n])] }));
  return [
    element("h4", {}, "Handed over by the step before ", tag("measured")),
    element("p", { class: "dgi-note" }, `Entropy ${inNats(along(entropy, position)[0])}`),
    tableOf("Tokens that self-conditioning mixes", ["token", "", "share"], rows),
  ];
}

function variantsOf(seen, position) {
  const { what, draft, confidence, divergence } = seen.variants;
  const at = (array, n) => along(array, n, position)[0];
  const rows = what.map((name, n) => ({
    cells: [name, tokenWord(textIn(seen, at(draft, n))), probability(at(confidence, n)), inNats(at(divergence, n))],
  }));
  return [
    element("h4", {}, "Had the pass been changed ", tag("measured")),
    tableOf("The pass with something changed", ["change", "draft", "confidence", "KL"], rows),
  ];
}

const AGREES = {
  identical: "The repeated pass is the recorded one, to the last bit.",
  "same decisions": "The repeated pass makes the recorded decisions; numbers differ by rounding.",
  diverged: "Beware: the repetition diverged from the recorded run, so this may be another step than the recorded one.",
  alone: "There was no recorded pass to compare with.",
};

// `go({ canvas, sample, step })` is called to see another step that was looked into.
export function createInsidePanel(go) {
  const agrees = element("p", { class: "dgi-note" }), others = element("p", { class: "dgi-steps" });
  const choice = element("select", { class: "dge-select", "aria-label": "Whose attention" });
  const heads = element("span", { class: "dgi-note" });
  const reading = element("div", { class: "dgi-reading" }), rest = element("div", { class: "dge-columns dge-narrow" });
  const attention = element("div", { class: "dgi-attention" },
    element("h4", {}, "Whom it reads ", tag("measured")), element("div", { class: "dge-bar" }, choice, heads), reading);
  const hint = element("p", { class: "dgx-empty" }), title = element("h3", {}, "Inside this step");
  const node = element("section", { class: "dgx-inspector dgi", "aria-label": "Inside this step", hidden: true },
    title, others, agrees, hint, attention, rest);
  let shown = null, listed = "";

  // Buttons stay while the steps do: one of them may have the focus.
  function list(places, { canvas, sample, step }) {
    const now = JSON.stringify(places);
    if (now !== listed) {
      const many = places.some(([c, s]) => c !== places[0][0] || s !== places[0][1]);
      others.replaceChildren("Looked into: ", ...places.map(([c, s, t]) => element("button",
        { type: "button", class: "dge-button", onclick: () => go({ canvas: c, sample: s, step: t }) },
        many ? `canvas ${c}, sample ${s}, step ${t}` : `step ${t}`)));
    }
    listed = now;
    [...others.querySelectorAll("button")].forEach((button, n) => {
      const here = places[n].join() === [canvas, sample, step].join();
      if (here) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  }

  function drawAttention() {
    if (shown?.seen.attention && shown.position >= 0) {
      reading.replaceChildren(...attentionOf(shown.seen, shown.position, choice.selectedIndex));
    }
  }

  function offerLayers(names) {
    if (names.join() === Array.from(choice.options, (option) => option.text).join()) return;
    choice.replaceChildren(...names.map((name) => element("option", {}, name)));
  }

  function show(place, at) {
    node.hidden = !place.inside_places?.length;
    if (node.hidden) return;
    const { step, position } = at, seen = place.insides?.find((one) => one.step === step);
    list(place.inside_places, at);
    const open = Boolean(seen) && position >= 0 && position < seen.noised.length;
    shown = open ? { seen, position } : null;
    setText(title, open ? `Inside this step: position ${position} at step ${step}` : "Inside this step");
    setText(agrees, seen ? AGREES[seen.agreement] : "");
    agrees.title = seen?.told ?? "";
    agrees.hidden = !seen;
    agrees.classList.toggle("dgx-notice", seen?.agreement === "diverged");
    hint.hidden = open;
    setText(hint, seen ? "Click a token to see what each depth makes of it, and whom it reads." : "This step was not looked into.");
    attention.hidden = !open || !seen.attention;
    rest.hidden = !open;
    if (!open) return;
    if (seen.attention) {
      offerLayers(seen.attention.names);
      setText(heads, seen.attention.heads);
      drawAttention();
    }
    const parts = { lens: lensOf, handed: handedOf, variants: variantsOf, experts: expertsOf };
    const drawn = Object.entries(parts).filter(([name]) => seen[name] && (name !== "variants" || seen.variants.what.length));
    rest.replaceChildren(...drawn.map(([, draw]) => element("div", {}, ...draw(seen, position))));
  }

  choice.addEventListener("change", drawAttention);
  return { node, show };
}
