// The table of runs, newest first. Choices go to Python as traits, saving and removing as messages. Texts are set as
// text, never as HTML.

import { element, setText } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";

const COLUMNS = [
  ["a", "A"], ["b", "B"], ["number", "Run"], ["time", "Time"], ["task", "Task"], ["sampler", "Sampler"],
  ["changed", "Not at default"], ["seed", "Seed"], ["verdict", "Answer"], ["steps", "Steps"], ["rate", "Tokens per forward"],
  ["where", "First difference"], ["actions", "Actions"],
];

function download(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function render({ model, el }) {
  const group = `dgh-${Math.random().toString(36).slice(2)}`;
  const body = element("tbody", { role: "rowgroup" });
  const heads = COLUMNS.map(([name, title]) => element("th", { scope: "col", role: "columnheader", class: `dgh-${name}` }, title));
  // Roles are said: a narrow page lays rows out as cards, and a table that is none on screen is none to all browsers.
  const head = element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads));
  const table = element("table", { role: "table", "aria-label": "Runs of this session" }, head, body);
  const title = element("h3", { class: "dgh-title" });
  const words = element("p", { class: "dgh-words" });
  const note = element("p", { class: "dgh-note", role: "status" });
  const box = element("div", { class: "dgh-box", tabindex: 0, role: "region", "aria-label": "Runs of this session" }, table);
  const root = element("section", { class: "dgh", "aria-label": "History" }, title, words, note, box);

  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }

  // The other of the two takes what this one had, so that two different runs stay chosen.
  function choose(which, number) {
    const other = which === "a" ? "b" : "a";
    const swap = model.get(other) === number ? { [other]: model.get(which) } : {};
    set({ [which]: number, opened: 0, ...swap });
  }

  const toggle = (name, number) => set({ [name]: model.get(name) === number ? 0 : number });
  const ask = (kind, number) => model.send({ kind, number });

  function radio(which, row, count) {
    return element("input", {
      type: "radio", name: `${group}-${which}`, "aria-label": `Run ${row.number} as ${which.toUpperCase()}`, disabled: count < 2,
      "data-key": `${which}${row.number}`, onchange: () => choose(which, row.number),
    });
  }

  function button(name, label, row, act, pressed) {
    return element(
      "button",
      {
        type: "button", class: "dgh-button", "aria-label": `${label} run ${row.number}`, "data-key": `${name}${row.number}`,
        "aria-pressed": pressed === undefined ? null : String(pressed), onclick: () => act(row.number),
      },
      name,
    );
  }

  function cells(row, count) {
    const base = model.get("base") === row.number;
    const why = row.against ? element("span", { class: "dgh-aside" }, `against run ${row.against}`) : null;
    return {
      a: radio("a", row, count),
      b: radio("b", row, count),
      number: `${row.number}${base ? " base" : ""}`,
      time: row.time,
      task: element("span", { title: row.prompt }, row.task),
      sampler: row.sampler,
      changed: row.changed.join(", ") || "–",
      seed: row.seed,
      verdict: element("span", { title: row.error }, row.verdict),
      steps: row.steps,
      rate: row.rate,
      where: element("span", { title: row.why }, base ? "base" : row.where || "–", " ", why),
      actions: element(
        "span",
        { class: "dgh-buttons" },
        button("Explore", "Explore", row, (number) => toggle("opened", number), model.get("opened") === row.number),
        button("Base", "Hold all others against", row, (number) => toggle("base", number), base),
        button("Save", "Save", row, (number) => ask("save", number)),
        button("Remove", "Remove", row, (number) => ask("remove", number)),
      ),
    };
  }

  function draw() {
    const rows = model.get("rows"), base = model.get("base"), focused = document.activeElement?.dataset?.key;
    body.replaceChildren(
      ...rows.map((row) => {
        const content = cells(row, rows.length);
        const tds = COLUMNS.map(([name, heading]) =>
          element("td", { role: "cell", class: `dgh-${name}`, "data-title": heading }, content[name]),
        );
        return element("tr", { role: "row", "data-run": row.number }, ...tds);
      }),
    );
    root.hidden = !rows.length && !model.get("note");
    setText(title, `Runs of this session (${rows.length})`);
    const against = base ? `run ${base}, the base` : "the run before";
    const what = `Choose two to compare, or explore one. "First difference" is that from ${against}.`;
    setText(words, `${what} The table lasts as long as the page; save what you want to keep.`);
    mark();
    if (focused) body.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
  }

  // What is chosen, without drawing the table anew.
  function mark() {
    const opened = model.get("opened");
    for (const row of body.rows) {
      const number = Number(row.dataset.run), compared = [model.get("a"), model.get("b")].includes(number);
      const looked = opened ? number === opened : compared;
      row.classList.toggle("dgh-chosen", looked);
      for (const which of ["a", "b"]) {
        row.querySelector(`.dgh-${which} input`).checked = !opened && model.get(which) === number;
      }
      row.querySelector(".dgh-button").setAttribute("aria-pressed", String(opened === number));
    }
    setText(note, model.get("note"));
    note.hidden = !model.get("note");
  }

  const onMessage = (message, buffers) => message.kind === "file" && download(message.name, buffers[0]);
  const heard = { rows: draw, base: draw, a: mark, b: mark, opened: mark, note: mark };
  for (const [name, act] of Object.entries(heard)) model.on(`change:${name}`, act);
  model.on("msg:custom", onMessage);
  const leave = keepOwnKeys(root);
  draw();
  el.append(root);
  return () => {
    leave();
    model.off?.("msg:custom", onMessage);
    for (const [name, act] of Object.entries(heard)) model.off?.(`change:${name}`, act);
  };
}

export default { render };
