// The whole answer as one document: the prompt and the canvases before the one that is looked at, and those behind it,
// as they came out. A canvas that is not looked at is plain text, so that a long answer scrolls.

import { element, setText } from "./dom.js";
import { madeVisible } from "./token_text.js";

const LONG_PROMPT = 500; // characters

// `paper`: the element that holds the tokens; `choose(canvas)` is called when the reader goes to another canvas.
export function createAnswer(paper, choose) {
  const before = element("div", { class: "dgv-before" }), after = element("div", { class: "dgv-after" });
  const problem = element("p", { class: "dgv-waiting", role: "status", hidden: true });
  let parts = [], prompt = null, drawn = null;

  // What a page knows of the answer (views/answer.py): made once for each sample.
  function draw(page, sample, canvas) {
    const of = page.answer?.samples?.[sample];
    if (of !== drawn) open(of, page.steps?.[sample]);
    drawn = of;
    const why = page.answer?.problem;
    setText(problem, why ? `The rest of the answer cannot be shown: ${why}` : "");
    problem.hidden = !why;
    show(canvas);
  }

  function open(answer, steps = []) {
    parts = (answer?.canvases ?? []).map((canvas, n) => partOf(canvas, n, steps[n]));
    prompt = answer?.prompt ? promptOf(answer.prompt) : null;
    paper.classList.toggle("dgv-long", parts.length > 1);
    paper.prepend(before);
    paper.append(after, problem);
  }

  function promptOf(text) {
    const words = element("p", { class: "dgv-prompt-text" }, madeVisible(text));
    if (text.length <= LONG_PROMPT) return element("div", { class: "dgv-prompt" }, element("b", {}, "prompt"), words);
    const few = `${madeVisible(text.slice(0, 80))} …`;
    return element("details", { class: "dgv-prompt" }, element("summary", {}, element("b", {}, "prompt"), ` ${few}`), words);
  }

  function partOf({ parts: written, filled, final }, canvas, steps) {
    const facts = [`canvas ${canvas}`, steps === 1 ? "1 step" : `${steps} steps`, ...(final || !steps ? [] : ["not finished"])];
    const label = element("button", { type: "button", class: "dgv-part-label", tabindex: -1 }, facts.join(" · "));
    const fill = filled ? element("span", { class: "dgv-part-fill" }, `${filled} that end or fill`) : null;
    const text = element("div", { class: "dgv-canvas-text" }, ...written.map(channelOrText), fill);
    return element("div", { class: "dgv-canvas-part", "data-canvas": canvas, onclick: goThere }, label, text);
  }

  function channelOrText({ text, channel, tokens }) {
    if (channel === undefined) return madeVisible(text);
    const name = `${madeVisible(channel)} · ${tokens === 1 ? "1 token" : `${tokens} tokens`}`;
    return element("details", { class: "dgv-channel" }, element("summary", {}, name), madeVisible(text));
  }

  function goThere(event) {
    if (!getSelection()?.isCollapsed || event.target.closest("summary")) return; // a text that was selected is no click
    choose(Number(event.currentTarget.dataset.canvas));
  }

  // The tokens of a canvas in its place; where it stood on the screen, it stays.
  function show(canvas) {
    const stood = parts[canvas]?.isConnected ? parts[canvas].getBoundingClientRect().top - paper.getBoundingClientRect().top : null;
    before.replaceChildren(...[prompt, ...parts.slice(0, canvas)].filter(Boolean));
    after.replaceChildren(...parts.slice(canvas + 1));
    if (parts.length < 2) return;
    const tokens = before.nextElementSibling, top = tokens.getBoundingClientRect().top - paper.getBoundingClientRect().top;
    const seen = stood !== null && stood >= 0 && stood < paper.clientHeight * 0.8;
    paper.scrollTop += top - (seen ? stood : canvas ? paper.clientHeight / 4 : top + paper.scrollTop);
  }
  const close = () => [before, after, problem].forEach((part) => part.remove());
  return { draw, close };
}
