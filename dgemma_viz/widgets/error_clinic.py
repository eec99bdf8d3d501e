"""The error clinic: make a run (healthy or broken on purpose), open a trace file, make many runs; read the findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypedDict

import ipywidgets as ipw

from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.widgets.many_runs_panel import ManyRunsPanel
from dgemma_viz.widgets.run_panel import RunPanel
from dgemma_viz.widgets.trace_file_panel import TraceFilePanel


class Opening(TypedDict):
    """Arguments of :class:`~dgemma_viz.widgets.run_panel.RunPanel`."""

    task: str
    example: int
    seed: int


OPENING: Final[Opening] = {"task": "gifts", "example": 0, "seed": 5}
"""The run that a page opens on: nothing is broken, and the model gets it wrong. A thing that somebody else has is
accepted and stays, drafts go back and forth, and the steps run out."""
ONE_RUN, TRACE_FILE, MANY_RUNS = "Make a run", "Open a trace file", "Make many runs"


class ErrorClinic(ipw.VBox):  # type: ignore[misc]
    """Three ways in, one at a time on screen; each keeps what it shows while another is looked at.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma of the caller's own; the bundled one if None.

    Attributes
    ----------
    source
        Which way in is on screen.
    panels
        The ways in that were entered so far, by name.
    """

    def __init__(self, model: Any = None, tokenizer: Any = None) -> None:
        ways: dict[str, Callable[[], ipw.Widget]] = {
            ONE_RUN: lambda: RunPanel(model, tokenizer, faults=tuple(FAULTS.values()), **OPENING),
            TRACE_FILE: TraceFilePanel,
            MANY_RUNS: lambda: ManyRunsPanel(model, tokenizer, faults=tuple(FAULTS.values())),
        }
        self._ways = ways
        self.panels: dict[str, ipw.Widget] = {}
        self._place = ipw.VBox()
        self.source = ipw.ToggleButtons(options=list(ways), style={"button_width": "auto"})
        self.source.observe(lambda _: self._enter(), "value")
        layout = ipw.Layout(width="100%", min_width="0", grid_gap="10px")
        super().__init__([self.source, self._place], layout=layout)
        self._enter()

    def panel(self, name: str) -> Any:
        """The panel of one way in; built when first asked for."""
        if name not in self.panels:
            self.panels[name] = self._ways[name]()
        return self.panels[name]

    def _enter(self) -> None:
        self._place.children = [self.panel(self.source.value)]
