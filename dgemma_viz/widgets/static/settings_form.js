// Parameters in groups, each group can be folded. Python says which there are; what the reader types goes back in `values`.

import { readerChoices } from "./choices.js";
import { element } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";
import { parameterFields } from "./parameter_fields.js";

function render({ model, el }) {
  const place = element("div", { class: "dgs-groups" });
  const fields = parameterFields(model, (values) => choices.choose({ values }));
  const root = element("section", { class: "dgs", "aria-label": model.get("title") }, place, fields.foot);
  const choices = readerChoices(model, root);
  const open = new Map();

  function draw() {
    for (const group of place.children) open.set(group.dataset.title, group.open);
    fields.clear();
    const groups = model.get("groups").map(({ title, folded, parameters }) => {
      const inside = element("div", { class: "dgs-parameters" }, ...fields.nodes(parameters));
      const summary = element("summary", { class: "dgs-summary" }, title);
      return element("details", { class: "dgs-group", "data-title": title, open: open.get(title) ?? !folded }, summary, inside);
    });
    place.replaceChildren(...groups);
    fields.show();
  }

  const heard = { groups: draw, values: fields.show };
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
