"""A token canvas in a bare HTML page with a stand-in for Jupyter's model: what the HTML export relies on."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dgemma_viz.widgets.token_canvas import TokenCanvas

TRAITS = (
    "packing", "texts", "tail_texts", "scales", "step", "position", "quantity", "shows", "playing", "dark", "live",
    "message",
)  # fmt: skip

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>canvas</title><style>{css}</style>
<body style="margin:16px;background:{background}"><div id="here"></div><script type="module">
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const state = {state};
for (const name of ["data", "tail"]) state[name] = bytes(state[name]);
const listeners = {{}};
const model = {{
  get: (name) => state[name],
  set(name, value) {{
    const changed = state[name] !== value;
    state[name] = value;
    if (changed) for (const act of listeners[`change:${{name}}`] ?? []) act();
  }},
  on: (event, act) => (listeners[event] ??= []).push(act),
  save_changes() {{ window.saved = (window.saved ?? 0) + 1; }},
  send() {{}},
}};
window.model = model;
window.bytes = bytes;
const source = {source};
const module = await import(URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }})));
window.leave = module.default.render({{ model, el: document.getElementById("here") }});
</script></body></html>"""


def page_with(canvas: TokenCanvas, background: str = "#fff") -> str:
    """HTML of a page that shows the canvas and nothing else; ``window.model`` is the stand-in."""
    state = {name: getattr(canvas, name) for name in TRAITS}
    state |= {name: base64.b64encode(getattr(canvas, name)).decode() for name in ("data", "tail")}
    return PAGE.format(
        css=canvas._css, background=background, state=_for_script(state), source=_for_script(str(canvas._esm))
    )


def _for_script(value: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(value).replace("<", "\\u003c")
