// What a search found: in a sentence or three, which lead to where it was first seen and last lost, and place by place.

import { element, focusedBeside, setText } from "./dom.js";
import { courseWords, spotWords, summaryOf } from "./search_words.js";

const seenText = (text) => text.replaceAll("\n", "↵");

// `visit(place, step)` is called for a place that is chosen, and its step.
export function createSearchResults(visit) {
  const summary = element("div", { class: "dgq-summary" });
  const list = element("ol", { class: "dgq-list", hidden: true, "aria-label": "Places found" }), rest = element("p", { class: "dgq-rest" });
  const node = element("div", { class: "dgq-results", hidden: true }, summary, list, rest);
  let rows = [];

  const to = (place, step, words) => element("button", { type: "button", class: "dgq-to", onclick: () => visit(place, step) }, words);

  // `said`: what stands there where nothing was found, or besides; `names` of the runs, an empty one where there is but one.
  function draw({ found, listed, said, names, canvases }) {
    const runs = names.map((name, run) => [name && `${name}: `, ...partsOf(found.filter((place) => place.run === run), name, canvases)]);
    const lines = [...(found.length ? runs : []), said ? [said] : []].filter((parts) => parts.length);
    const shown = (part) => (part.place ? to(part.place, part.step, part.words) : part);
    summary.replaceChildren(...lines.map((parts) => element("p", {}, ...parts.map(shown))));
    drawList(listed, canvases, names);
    const more = found.length - listed.length;
    setText(rest, more ? `${more} more ${more === 1 ? "place is" : "places are"} not listed; more letters find fewer.` : "");
    rest.hidden = !more;
  }

  function partsOf(places, name, canvases) {
    const parts = summaryOf(places, canvases);
    return parts.length || !name ? parts : ["nowhere."];
  }

  function drawList(listed, canvases, names) {
    if (listed.length === rows.length && rows.every(({ place }, n) => place === listed[n])) return;
    const focus = focusedBeside(node), { scrollTop } = list, known = new Map(rows.map((row) => [row.place, row]));
    rows = listed.map((place) => known.get(place) ?? rowOf(place, canvases, names));
    list.replaceChildren(...rows.map(({ item }) => item));
    list.hidden = !rows.length;
    list.scrollTop = scrollTop;
    if (list.contains(focus)) focus.focus({ preventScroll: true });
  }

  function rowOf(place, canvases, names) {
    const { before, match, after } = place.quote;
    const buttons = [
      place.stands && to(place, place.first, `First seen: step ${place.first}`),
      place.lost >= 0 && to(place, place.lost, `Last lost: step ${place.lost}`),
      place.best && to(place, place.best.step, `Best alternative: step ${place.best.step}`),
      !place.stands && !place.best && to(place, place.shownAt, `Read: step ${place.shownAt}`),
    ].filter(Boolean);
    const where = [names[place.run], spotWords(place, canvases)].filter(Boolean).join(", ");
    const quote = element("q", { class: "dgq-quote" }, seenText(before), element("mark", {}, seenText(match)), seenText(after));
    const item = element("li", {}, element("b", {}, where), quote, element("span", { class: "dgq-course" }, courseWords(place)),
      element("span", { class: "dgq-tos" }, ...buttons));
    return { place, item, buttons };
  }

  // The place that was gone to, or null; its buttons alone are in the tab order.
  function mark(chosen) {
    const at = rows.findIndex(({ place }) => place === chosen);
    for (const [n, { item, buttons }] of rows.entries()) {
      item.classList.toggle("dgq-chosen", n === at);
      if (n === at) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
      for (const one of buttons) one.tabIndex = n === Math.max(0, at) ? 0 : -1;
    }
    if (at < 0) return;
    const { offsetTop: top, offsetHeight: height } = rows[at].item;
    if (top < list.scrollTop || top + height > list.scrollTop + list.clientHeight) list.scrollTop = top;
  }

  // Arrows go from row to row, and above the first one `out()`; true where that is done.
  function onKey(event, at, out) {
    const row = rows.findIndex(({ item }) => item.contains(at)), by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (row < 0 || !by) return false;
    if (row + by < 0) out();
    else rows[Math.min(rows.length - 1, row + by)].buttons[0].focus();
    return true;
  }

  const focus = () => rows.length > 0 && (rows.find(({ buttons }) => buttons[0].tabIndex === 0).buttons[0].focus(), true);
  return { node, draw, mark, onKey, focus, said: () => Array.from(summary.children, (line) => line.textContent).join(" ") };
}
