"""Watch a model denoise: a viewer that fills while ``generate()`` runs, and can be scrubbed afterwards.

The recorder calls back after each denoising step (:mod:`dgemma_viz.widgets.live_run`). Watching is recording plus a
view: the result of ``generate()`` is bit for bit what it is without.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dgemma_viz.recorders import Recording
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.cell_output import leave_still
from dgemma_viz.widgets.live_run import WAITING, LiveRun
from dgemma_viz.widgets.viewer import Viewer

if TYPE_CHECKING:
    import ipywidgets as widgets


class Watching:
    """What ``with dv.watch(model, tokenizer) as watching:`` gives.

    Attributes
    ----------
    view
        The :class:`~dgemma_viz.widgets.viewer.Viewer`; displayed on entry, or put into the container.
    recording
        The recording underneath.
    """

    def __init__(self, recording: Recording, view: Viewer, run: LiveRun, container: widgets.Box | None) -> None:
        self.recording = recording
        self.view = view
        self._run = run
        self._container = container

    @property
    def trace(self) -> Trace:
        """Trace of the newest run.

        Raises
        ------
        RecordingError
            Nothing was generated in the block.
        """
        return self.recording.trace

    @property
    def traces(self) -> list[Trace]:
        """Traces of all runs of the block."""
        return self.recording.traces

    def __enter__(self) -> Self:
        self.recording.__enter__()
        if self._container is not None:
            self._container.children = [*self._container.children, self.view]
        else:
            from IPython.display import display

            display(self.view)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.recording.__exit__(kind, error, trace)
        traces = self.traces
        self._run.finish(traces[-1] if traces else None)
        if self._container is None:
            leave_still(self.view)


def watch(
    model: Any,
    tokenizer: Any = None,
    *,
    top_k: int = 8,
    sample: int = 0,
    container: widgets.Box | None = None,
    task: Mapping[str, Any] | None = None,
) -> Watching:
    """Show the canvas while ``model.generate()`` runs in a ``with`` block, without changing its result.

    Parameters
    ----------
    model, tokenizer, top_k, task
        As for :func:`dgemma_viz.record`.
    sample
        Which sample of a batch to show while it runs; afterwards any can be chosen.
    container
        Box to add the view to; None displays it where the block stands.

    Examples
    --------
    >>> with dv.watch(model, tokenizer) as watching:
    ...     model.generate(**inputs)
    >>> dv.explore(watching.trace)
    """
    from dgemma_viz.recorders import record

    view = Viewer(views="canvas")
    view.clear(WAITING)
    run = LiveRun(view, sample=sample)
    return Watching(record(model, tokenizer, top_k=top_k, on_step=run.add_step, task=task), view, run, container)
