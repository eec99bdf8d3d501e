"""Where the sampler lab shows what was chosen: one run, or two compared.

One viewer shows both; it is made when first needed, and then shown other runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw

from dgemma_viz.analysis.comparison import TracePair, pair_of
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.lab_run import LabRun
from dgemma_viz.widgets.notices import alert
from dgemma_viz.widgets.panels import close_tree
from dgemma_viz.widgets.viewer import Viewer


class LabStage(ipw.VBox):  # type: ignore[misc]
    """Empty until :meth:`show` is called.

    Parameters
    ----------
    model
        Gives model and tokenizer of the runs, which are loaded by then.

    Attributes
    ----------
    viewer
        The view; None until first needed.
    problem
        Why two runs cannot be compared, as HTML; empty if they can.
    """

    def __init__(self, model: Callable[[], tuple[Any, Any]]) -> None:
        self._model = model
        self.viewer: Viewer | None = None
        self.problem = ipw.HTML()
        self._numbers: tuple[int, ...] = ()
        super().__init__([self.problem], layout=ipw.Layout(width="100%", min_width="0"))

    def show(self, runs: Sequence[LabRun]) -> None:
        """Show one run, two side by side (A first), or nothing; what is shown already is left alone."""
        numbers = tuple(run.number for run in runs)
        if numbers == self._numbers:
            return
        self._numbers, self.problem.value = numbers, ""
        shown: Trace | TracePair | None = runs[0].trace if runs else None
        if len(runs) > 1:
            a, b = runs
            try:
                shown = pair_of(a.trace, b.trace)
            except TraceError as error:
                self.problem.value = alert(f"Runs {a.number} and {b.number} cannot be compared: {error}")
                shown = None
        if shown is None:
            self.children = [self.problem]
            return
        if self.viewer is None:
            model, tokenizer = self._model()
            self.viewer = Viewer(shown, model=model, tokenizer=tokenizer)
        else:
            self.viewer.show(shown)
        self.children = [self.problem, *self.viewer.parts]

    def close(self) -> None:
        """Close the view."""
        if self.viewer is not None:
            self.viewer.close()
        close_tree(self, closing=super().close)
