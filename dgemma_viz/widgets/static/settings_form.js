// Parameters in groups, each group can be folded. Python says which there are; what the reader types goes back in `values`.

import { readerChoices } from "./choices.js";
import { element, setText } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";
import { parameterInput } from "./parameter_input.js";

function render({ model, el }) {
  const place = element("div", { class: "dgs-groups" });
  const differing = element("span", { class: "dgs-differing", role: "status" });
  const reset = element("button", { type: "button", class: "dgs-button", onclick: defaults }, "Defaults");
  const root = element(
    "section",
    { class: "dgs", "aria-label": model.get("title") },
    place,
    element("div", { class: "dgs-foot" }, reset, differing),
  );
  const choices = readerChoices(model, root);
  let inputs = new Map();
  let open = new Map();

  function defaults() {
    const all = model.get("groups").flatMap((group) => group.parameters);
    choices.choose("values", Object.fromEntries(all.map((entry) => [entry.name, entry.default])));
  }

  function draw() {
    for (const group of place.children) open.set(group.dataset.title, group.open);
    inputs = new Map();
    const groups = model.get("groups").map(({ title, folded, parameters }) => {
      const nodes = parameters.map((entry) => {
        const input = parameterInput(entry, (value) => choices.choose("values", { ...model.get("values"), [entry.name]: value }));
        inputs.set(entry.name, input);
        return input.node;
      });
      const fields = element("div", { class: "dgs-parameters" }, ...nodes);
      const summary = element("summary", { class: "dgs-summary" }, title);
      return element("details", { class: "dgs-group", "data-title": title, open: open.get(title) ?? !folded }, summary, fields);
    });
    place.replaceChildren(...groups);
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

  const heard = { groups: draw, values: show };
  for (const [name, act] of Object.entries(heard)) model.on(`change:${name}`, act);
  const leave = keepOwnKeys(root);
  draw();
  el.append(root);
  return () => {
    leave();
    choices.leave();
    for (const [name, act] of Object.entries(heard)) model.off?.(`change:${name}`, act);
  };
}

export default { render };
