"""The kernel's end of ``static/choices.js``: a button that is pressed finds what was chosen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets as ipw


def heed_choices(widget: ipw.Widget, *names: str) -> None:
    """From now on take these traits from the page's messages, as if they were its changes; nothing else in them."""

    def take(_widget: ipw.Widget, content: Any, _buffers: Any) -> None:
        chosen = content.get("chosen") if isinstance(content, dict) else None
        if isinstance(chosen, dict):
            widget.set_state({name: chosen[name] for name in names if name in chosen})

    widget.on_msg(take)
