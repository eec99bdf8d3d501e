// A file goes to Python in pieces of 1 MiB, each sent when Python asks for it; too large a file is not sent at all.

import { element, visible } from "./dom.js";

const PIECE = 2 ** 20;

function render({ model, el }) {
  let file = null, number = 0; // a file chosen while another is under way replaces it: late answers are not for it
  const input = element("input", { type: "file", accept: model.get("accept"), "aria-label": "Trace file" });
  const most = `at most ${Math.floor(model.get("most_bytes") / 2 ** 20)} MB`;
  const words = element("span", { class: "dgu-words", role: "status" }, `${model.get("accept")}, ${most}`);
  const box = element("div", { class: "dgu" }, element("b", {}, "Open a trace file"), input, words);

  const say = (text, bad = false) => {
    words.textContent = text;
    box.classList.toggle("dgu-bad", bad);
    words.setAttribute("role", bad ? "alert" : "status");
  };

  function begin(chosen) {
    if (!chosen) return;
    const size = chosen.size / 2 ** 20;
    if (chosen.size > model.get("most_bytes")) {
      file = null;
      say(`${visible(chosen.name)} has ${size.toFixed(1)} MB: too large, ${most}`, true);
      return;
    }
    file = chosen;
    number += 1;
    say(`reading ${visible(chosen.name)} …`);
    model.send({ kind: "begin", number, name: chosen.name, size: chosen.size });
  }

  async function onMessage(message) {
    if (!file || message.number !== number) return;
    if (message.kind === "next") {
      const piece = await file.slice(message.from, message.from + PIECE).arrayBuffer();
      model.send({ kind: "piece", number: message.number, from: message.from }, undefined, [piece]);
    } else if (message.kind === "done") {
      if (!model.get("problem")) say(visible(file.name));
      file = null;
      input.value = "";
    }
  }

  const onProblem = () => model.get("problem") && say(model.get("problem"), true);
  input.addEventListener("change", () => begin(input.files[0]));
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("dgu-over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("dgu-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("dgu-over");
    begin(event.dataTransfer.files[0]);
  });
  model.on("msg:custom", onMessage);
  model.on("change:problem", onProblem);
  el.append(box);
  return () => {
    model.off?.("msg:custom", onMessage);
    model.off?.("change:problem", onProblem);
  };
}

export default { render };
