// The sampler and its parameters. Python says which there are; the reader's choices go back in `sampler` and `values`.

import { readerChoices } from "./choices.js";
import { element, setText } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";
import { parameterInput } from "./parameter_input.js";

function render({ model, el }) {
  const id = `dgs-${Math.random().toString(36).slice(2)}`;
  const list = element("select", { id, class: "dgs-list", onchange: () => choices.choose("sampler", list.value) });
  const about = element("p", { class: "dgs-meaning" });
  const missing = element("p", { class: "dgs-missing" });
  const place = element("div", { class: "dgs-parameters" });
  const differing = element("span", { class: "dgs-differing", role: "status" });
  const reset = element("button", { type: "button", class: "dgs-button", onclick: defaults }, "Defaults");
  const root = element(
    "section",
    { class: "dgs", "aria-label": "Sampler and its parameters" },
    element("div", { class: "dgs-sampler" }, element("label", { for: id }, "Sampler"), list),
    about,
    missing,
    place,
    element("div", { class: "dgs-foot" }, reset, differing),
  );
  const choices = readerChoices(model, root);
  let inputs = new Map();

  function defaults() {
    choices.choose("values", Object.fromEntries(model.get("parameters").map((entry) => [entry.name, entry.default])));
  }

  function drawSamplers() {
    const entries = model.get("samplers");
    list.replaceChildren(
      ...entries.map(({ name, title, installed }) =>
        element("option", { value: name, disabled: !installed }, installed ? title : `${title}: not installed`),
      ),
    );
    list.value = model.get("sampler");
    const hints = new Set(entries.filter((entry) => !entry.installed).map((entry) => entry.hint));
    setText(missing, [...hints].join(" "));
    missing.hidden = !hints.size;
  }

  function drawParameters() {
    list.value = model.get("sampler");
    setText(about, model.get("about"));
    inputs = new Map(
      model.get("parameters").map((entry) => [
        entry.name,
        parameterInput(entry, (value) => choices.choose("values", { ...model.get("values"), [entry.name]: value })),
      ]),
    );
    place.replaceChildren(...[...inputs.values()].map((input) => input.node));
    show();
  }

  function show() {
    const values = model.get("values");
    let count = 0;
    for (const [name, input] of inputs) {
      if (!(name in values)) continue;
      input.show(values[name]);
      count += input.differs(values[name]);
    }
    reset.disabled = !count;
    setText(differing, count ? `${count} ${count > 1 ? "differ" : "differs"} from the defaults` : "all at their defaults");
  }

  const heard = { samplers: drawSamplers, parameters: drawParameters, values: show };
  for (const [name, act] of Object.entries(heard)) model.on(`change:${name}`, act);
  const leave = keepOwnKeys(root);
  drawSamplers();
  drawParameters();
  el.append(root);
  return () => {
    leave();
    choices.leave();
    for (const [name, act] of Object.entries(heard)) model.off?.(`change:${name}`, act);
  };
}

export default { render };
