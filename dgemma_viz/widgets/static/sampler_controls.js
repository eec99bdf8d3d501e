// The sampler and its parameters. Python says which there are; the reader's choices go back in `sampler` and `values`.

import { readerChoices } from "./choices.js";
import { element, setText } from "./dom.js";
import { keepOwnKeys } from "./own_keys.js";
import { parameterFields } from "./parameter_fields.js";

function render({ model, el }) {
  const id = `dgs-${Math.random().toString(36).slice(2)}`;
  const list = element("select", { id, class: "dgs-list", onchange: () => choices.choose({ sampler: list.value }) });
  const about = element("p", { class: "dgs-meaning" });
  const missing = element("p", { class: "dgs-missing" });
  const place = element("div", { class: "dgs-parameters" });
  const fields = parameterFields(model, (values) => choices.choose({ values }));
  const root = element(
    "section",
    { class: "dgs", "aria-label": "Sampler and its parameters" },
    element("div", { class: "dgs-sampler" }, element("label", { for: id }, "Sampler"), list),
    about,
    missing,
    place,
    fields.foot,
  );
  const choices = readerChoices(model, root);

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
    fields.clear();
    place.replaceChildren(...fields.nodes(model.get("parameters")));
    fields.show();
  }

  const heard = { samplers: drawSamplers, parameters: drawParameters, values: fields.show };
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
