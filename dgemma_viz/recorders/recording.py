"""What every recorder shares: the ``with`` block, one recording per model, traces of the runs, news for ``on_step``.

A recorder for another kind of model subclasses :class:`Recording`, puts its hooks in place in ``_open``, takes them
away in ``_close``, and appends a :class:`~dgemma_viz.recorders.run.RunBuffer` to ``_runs`` when a run begins.
"""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from dgemma_viz.errors import RecordingError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from dgemma_viz.recorders.run import RunBuffer
    from dgemma_viz.recorders.step_record import StepRecord
    from dgemma_viz.trace.model import Trace


class RecordingWarning(UserWarning):
    """Something about a recorded run that the trace's reader should know."""


class StaleSamplerWarning(RecordingWarning):
    """The run used a sampler compiled by an earlier call, with other parameters than were asked for."""


_claims: WeakSet[Any] = WeakSet()
_claims_lock = threading.Lock()


@dataclass
class _Outcome:
    status: str = "complete"
    error: str = ""


class Recording(ABC):
    """A ``with`` block during which a model's runs are recorded. Made by :func:`dgemma_viz.recorders.record`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        top_k: int = 8,
        on_step: Callable[[StepRecord], None] | None = None,
        task: Mapping[str, Any] | None = None,
    ) -> None:
        if top_k < 1:
            raise SettingError(f"top_k is {top_k}; keep at least 1 alternative per position")
        self._model, self._tokenizer = model, tokenizer
        self._top_k, self._on_step, self._task = top_k, on_step, task
        self._runs: list[RunBuffer] = []
        self._outcomes: dict[int, _Outcome] = {}
        self._made: dict[int, Trace] = {}

    @abstractmethod
    def _open(self) -> None:
        """Put the hooks in place."""

    @abstractmethod
    def _close(self) -> None:
        """Take the hooks away, also those of an ``_open`` that failed half-way."""

    def __enter__(self) -> Self:
        with _claims_lock:
            if self._model in _claims:
                raise RecordingError(
                    f"this {type(self._model).__name__} is already being recorded: recordings of one model cannot be "
                    "nested or run side by side; use the recording that is open, or wait until its block has ended"
                )
            _claims.add(self._model)
        try:
            self._open()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        try:
            self._close()
        finally:
            with _claims_lock:
                _claims.discard(self._model)

    def _finish(self, run: RunBuffer, status: str = "complete", error: str = "") -> None:
        self._outcomes[id(run)] = _Outcome(status, error)

    def _tell(self, run: RunBuffer) -> None:
        """Give the newest step to ``on_step``; its failure must not become the run's."""
        if self._on_step is None:
            return
        step = run.last_step()
        try:
            self._on_step(step)
        except Exception as error:  # noqa: BLE001 - somebody else's code, called from inside their own generate()
            self._on_step = None
            message = f"on_step failed with {type(error).__name__}: {error}; it is not called again"
            run.warn_once(message)
            warnings.warn(message, RecordingWarning, stacklevel=2)

    @property
    def traces(self) -> list[Trace]:
        """One trace per run in the block so far, oldest first; a run still going gives its steps so far."""
        return [self._trace_of(run) for run in self._runs]

    @property
    def trace(self) -> Trace:
        """The newest run's trace.

        Raises
        ------
        RecordingError
            No run was made in the block.
        """
        if not self._runs:
            raise RecordingError(
                "nothing was recorded: call model.generate(...) inside the 'with' block, on this model"
            )
        return self._trace_of(self._runs[-1])

    def _trace_of(self, run: RunBuffer) -> Trace:
        outcome = self._outcomes.get(id(run))
        if outcome is None:
            return run.to_trace("running")
        if id(run) not in self._made:
            self._made[id(run)] = run.to_trace(outcome.status, outcome.error)
        return self._made[id(run)]
