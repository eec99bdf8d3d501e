// The fields of a form, how many of them differ from their defaults, and the button that puts these back. `choose` gets
// the values, all of them, whenever the reader has changed one.

import { element, setText } from "./dom.js";
import { parameterInput } from "./parameter_input.js";

export function parameterFields(model, choose) {
  let fields = [];
  const differing = element("span", { class: "dgs-differing", role: "status" });
  const defaults = () => choose(Object.fromEntries(fields.map(({ entry }) => [entry.name, entry.default])));
  const reset = element("button", { type: "button", class: "dgs-button", onclick: defaults }, "Defaults");

  function add(entry) {
    const input = parameterInput(entry, (value) => choose({ ...model.get("values"), [entry.name]: value }));
    fields.push({ entry, input });
    return input.node;
  }

  function show() {
    const values = model.get("values");
    const shown = fields.filter(({ entry }) => entry.name in values);
    for (const { entry, input } of shown) input.show(values[entry.name]);
    const count = shown.filter(({ entry, input }) => input.differs(values[entry.name])).length;
    reset.disabled = !count;
    setText(differing, count ? `${count} ${count > 1 ? "differ" : "differs"} from the defaults` : "all at their defaults");
  }

  return {
    foot: element("div", { class: "dgs-foot" }, reset, differing),
    nodes(entries) {
      return entries.map(add);
    },
    clear() {
      fields = [];
    },
    show,
  };
}
