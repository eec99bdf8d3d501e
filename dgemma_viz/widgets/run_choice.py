"""Dropdowns that choose a canvas and a sample of a trace; those with a single choice are not shown."""

from __future__ import annotations

import ipywidgets as widgets


class RunChoice(widgets.HBox):  # type: ignore[misc]
    """Two dropdowns, ``canvas`` and ``sample``; their ``value`` is the chosen number."""

    def __init__(self, n_canvases: int, n_samples: int) -> None:
        self.canvas = _dropdown("Canvas", n_canvases)
        self.sample = _dropdown("Sample", n_samples)
        super().__init__([choice for choice in (self.canvas, self.sample) if len(choice.options) > 1])
        self.layout = widgets.Layout(flex_flow="row wrap", grid_gap="4px 18px")
        if not self.children:
            self.layout.display = "none"


def _dropdown(label: str, count: int) -> widgets.Dropdown:
    options = [(f"{n} (of {count})", n) for n in range(max(1, count))]
    style = {"description_width": "initial"}
    return widgets.Dropdown(options=options, description=label, style=style, layout=widgets.Layout(width="auto"))
