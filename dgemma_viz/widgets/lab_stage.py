"""Where the sampler lab shows what was chosen: one run in the explorer, or two in the comparison.

Both views are made once, when first needed, and then shown other runs; the one that is not looked at is hidden, not
taken away, so that nothing is drawn twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.errors import TraceError
from dgemma_viz.widgets.comparison import Comparison
from dgemma_viz.widgets.explorer import Explorer
from dgemma_viz.widgets.notices import alert
from dgemma_viz.widgets.panels import close_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dgemma_viz.widgets.lab_run import LabRun


class LabStage(ipw.VBox):  # type: ignore[misc]
    """Empty until :meth:`show` is called.

    Parameters
    ----------
    model
        Gives model and tokenizer of the runs, which are loaded by then.

    Attributes
    ----------
    explorer, comparison
        The views; None until first needed.
    problem
        Why two runs cannot be compared, as HTML; empty if they can.
    """

    def __init__(self, model: Callable[[], tuple[Any, Any]]) -> None:
        self._model = model
        self.explorer: Explorer | None = None
        self.comparison: Comparison | None = None
        self.problem = ipw.HTML()
        self._views: list[Explorer | Comparison] = []
        self._numbers: tuple[int, ...] = ()
        super().__init__([self.problem], layout=ipw.Layout(width="100%", min_width="0"))

    @property
    def view(self) -> Explorer | Comparison | None:
        """The view that is looked at."""
        return next((view for view in self._views if view.layout.display != "none"), None)

    def show(self, runs: Sequence[LabRun]) -> None:
        """Show one run, two side by side (A first), or nothing; what is shown already is left alone."""
        numbers = tuple(run.number for run in runs)
        if numbers == self._numbers:
            return
        self._numbers, self.problem.value = numbers, ""
        if len(runs) > 1:
            self._put_up(self._compared(*runs))
        else:
            self._put_up(self._explored(runs[0]) if runs else None)

    def close(self) -> None:
        """Close both views."""
        close_tree(self, closing=super().close)

    def _explored(self, run: LabRun) -> Explorer:
        if self.explorer is None:
            model, tokenizer = self._model()
            self.explorer = Explorer(run.trace, model=model, tokenizer=tokenizer)
        else:
            self.explorer.show(run.trace)
        return self.explorer

    def _compared(self, a: LabRun, b: LabRun) -> Comparison | None:
        try:
            pair = pair_of(a.trace, b.trace)
        except TraceError as error:
            self.problem.value = alert(f"Runs {a.number} and {b.number} cannot be compared: {error}")
            return None
        if self.comparison is None:
            self.comparison = Comparison(pair)
        else:
            self.comparison.show(pair)
        return self.comparison

    def _put_up(self, view: Explorer | Comparison | None) -> None:
        if view is not None and view not in self._views:
            self._views.append(view)
            self.children = [self.problem, *self._views]
        for known in self._views:
            known.layout.display = None if known is view else "none"
