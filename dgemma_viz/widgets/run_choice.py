"""Dropdowns that choose a canvas and a sample of a trace; those with a single choice are not shown."""

from __future__ import annotations

import ipywidgets as widgets


class RunChoice(widgets.HBox):  # type: ignore[misc]
    """Two dropdowns, ``canvas`` and ``sample``; their ``value`` is the chosen number."""

    def __init__(self, n_canvases: int, n_samples: int) -> None:
        self.canvas = _dropdown("Canvas")
        self.sample = _dropdown("Sample")
        super().__init__(layout=widgets.Layout(flex_flow="row wrap", grid_gap="4px 18px"))
        self.offer(n_canvases, n_samples)

    def offer(self, n_canvases: int, n_samples: int) -> None:
        """Choose from so many; the first of each is then chosen where their number is another than before."""
        for choice, count in ((self.canvas, n_canvases), (self.sample, n_samples)):
            options = tuple((f"{n} (of {count})", n) for n in range(max(1, count)))
            if choice.options != options:
                choice.options = options
        self.children = [choice for choice in (self.canvas, self.sample) if len(choice.options) > 1]
        self.layout.display = None if self.children else "none"


def _dropdown(label: str) -> widgets.Dropdown:
    style = {"description_width": "initial"}
    return widgets.Dropdown(description=label, style=style, layout=widgets.Layout(width="auto"))
