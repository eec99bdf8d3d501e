"""Everything kept of one ``generate()`` call until its trace is built: reduced arrays, never logits. And warnings."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.recorders.host_arrays import HostCopies, read_only
from dgemma_viz.redaction import text_of
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.notice import Notice, NoticeCode

if TYPE_CHECKING:
    import torch

    Array = npt.NDArray[Any]


_INSIDE = ("dgemma_viz.recorders", "transformers", "diffusers", "torch", "contextlib")
"""Modules that a warning is not attributed to."""


class RecorderWarning(UserWarning):
    """The recording is less than was asked for; the generation itself is not affected."""


class StaleSamplerWarning(RecorderWarning):
    """A sampler compiled by an earlier call runs in place of the one asked for."""


def warn_user(text: str, category: type[Warning] = RecorderWarning) -> None:
    """Warn, pointing at the nearest caller outside this layer and the libraries that it hooks."""
    warnings.warn(text, category, stacklevel=_levels_inside() + 1)


def _levels_inside() -> int:
    """Frames from :func:`warn_user` up to the first that belongs to the user."""
    levels, frame = 1, sys._getframe(2)  # inspect.stack() would read every source file
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not any(module == name or module.startswith(f"{name}.") for name in _INSIDE):
            break
        levels, frame = levels + 1, frame.f_back
    return levels


@dataclass(frozen=True)
class Step:
    """One complete denoising step: host tensors by their names in the schema, and its scalars."""

    canvas: int
    step_in_canvas: int
    tensors: dict[str, torch.Tensor]
    temperature: float
    entropy_bound: float
    wall_time: float
    phase: int = 0
    """Code of :class:`~dgemma_viz.trace.decision.Phase`."""

    def array(self, name: str) -> Array:
        """Read-only array; its copy must have arrived."""
        return read_only(self.tensors[name])


@dataclass
class Run:
    """One ``generate()`` call: grows while it runs, is final once :meth:`end` was called.

    What belongs together is appended as one object, so an interrupt at any moment leaves whole steps and canvases.
    """

    facts: RunFacts
    generator_state: npt.NDArray[np.uint8]
    start_time: float = field(default_factory=time.perf_counter)
    copies: HostCopies = field(default_factory=HostCopies)
    prompt: tuple[torch.Tensor, torch.Tensor] | None = None
    """Ids and mask, ``(B, P)``."""
    steps: list[Step] = field(default_factory=list)
    emitted: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    """Per canvas: ids ``(B, C)``, and rows that had ended before it ``(B,)``."""
    ended: bool = False
    stopped_by: str = ""
    """How the recorder itself failed, if it did: nothing more is taken then, so that what there is stays consistent."""
    trace: Trace | None = None

    @property
    def next_place(self) -> tuple[int, int]:
        """Canvas and step in canvas of the step that comes next."""
        canvas = len(self.emitted)
        return canvas, len(self.canvas_steps(canvas))

    def canvas_steps(self, canvas: int) -> list[Step]:
        """Steps of one canvas so far."""
        return [step for step in self.steps if step.canvas == canvas]

    def end(self, status: str, error: str = "") -> None:
        """Make the run final. The first end counts."""
        if self.ended:
            return
        if self.stopped_by and status == "complete":
            status, error = "failed", self.stopped_by
        self.facts = replace(self.facts, status=status, error=error)
        self.ended = True

    def warn(self, notice: Notice, category: type[Warning] = RecorderWarning) -> None:
        """Note for the trace and warn the user, once per notice."""
        if notice not in self.facts.notices:
            self.facts = replace(self.facts, notices=(*self.facts.notices, notice))
            warn_user(notice.text, category)

    def attempt(self, capture: Callable[[], None]) -> None:
        """Take something from the running loop; a failure of the recorder ends the recording, never the generation."""
        if self.stopped_by or self.ended:
            return
        try:
            capture()
        except Warning:  # the user's own filters turn warnings into errors
            raise
        except Exception as error:  # noqa: BLE001 - e.g. no memory left for the reduction: the run must go on
            canvas, step = self.next_place
            self.stopped_by = (
                f"recording stopped in canvas {canvas}, step {step}, because of {text_of(error)}. "
                "The generation goes on; the trace ends there."
            )
        if self.stopped_by:
            self.warn(Notice(NoticeCode.RECORDING_STOPPED, self.stopped_by))
