// The place that is looked at, kept in the address of a page of our own: #canvas=2&step=5&position=17&quantity=entropy.

import { element, setText } from "./dom.js";

const NUMBERS = { canvas: 0, sample: 0, step: 0, position: -1 }; // and what they are where the address does not say
const NAMED = { quantity: "quantity", shows: "shows", layout: "token_layout", views: "views" }; // in the address: in the state
const ADDRESS_REST = 200; // ms without another change before the address follows
const TOLD = 4000; // ms

// The whole place that an address stands for: what it does not say, or says wrongly, is as usual.
export function readPlaceLink(hash, choices, usual) {
  const said = new URLSearchParams(hash.replace(/^#/, "")), place = {};
  for (const [name, least] of Object.entries(NUMBERS)) place[name] = /^\d{1,9}$/.test(said.get(name) ?? "") ? Number(said.get(name)) : least;
  for (const [name, trait] of Object.entries(NAMED)) place[trait] = choices[trait]?.includes(said.get(name)) ? said.get(name) : usual[trait];
  return place;
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { class: "dgv-aside", readonly: true });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

// `choices`: the values that words may have; `usual`: those that an address leaves out.
export function createPlaceLink(state, choices, usual) {
  const told = element("span", { class: "dge-told", role: "status" });
  let known = location.href, timer = null, telling = null;

  function address() {
    const said = new URLSearchParams();
    for (const [name, value] of Object.entries(NUMBERS)) if (state.get(name) !== value) said.set(name, state.get(name));
    for (const [name, trait] of Object.entries(NAMED)) if (state.get(trait) !== usual[trait]) said.set(name, state.get(trait));
    const url = new URL(location.href);
    url.hash = said.size ? said.toString() : "";
    return url.href;
  }
  // Not over an address that the reader has just given: it is heard of in a moment.
  function write() {
    clearTimeout(timer);
    if (location.href !== known) return;
    known = address();
    if (known !== location.href) history.replaceState(history.state, "", known);
  }
  function moved() {
    clearTimeout(timer);
    timer = setTimeout(write, ADDRESS_REST);
  }
  async function copy() {
    write();
    const done = await toClipboard(address());
    setText(told, done ? "Link copied." : `This browser does not let a page copy; the link is its address: ${address()}`);
    clearTimeout(telling);
    if (done) telling = setTimeout(() => setText(told, ""), TOLD);
  }
  // An address that is typed, or reached by the browser's own buttons.
  function follow(go) {
    window.addEventListener("hashchange", () => {
      known = location.href;
      if (address() !== known) go(readPlaceLink(location.hash, choices, usual));
    });
  }
  return { told, moved, copy, follow };
}
