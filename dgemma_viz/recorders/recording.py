"""The recording of one model: a context manager over a ``with`` block, whichever sampler is being watched.

A subclass says what to hook (:meth:`Recording.install`) and how a finished run becomes a trace. This class sees to what
all recorders share: one recording per model at a time, everything put back at the end of the block however it ends, and
traces that are built when they are first asked for, so that the recorded call returns without waiting for them.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dgemma_viz.errors import RecordingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.recorders.run_buffer import warn_user
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.redaction import text_of
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.task import RunTask
from dgemma_viz.trace.tokenizer import TokenTexts

if TYPE_CHECKING:
    from dgemma_viz.recorders.run_buffer import Run

_being_recorded: set[int] = set()
"""Ids of models inside a block; each is alive, since its recording holds it."""
_lock = threading.Lock()


class Recording(ABC):
    """Runs of one model; made by :func:`dgemma_viz.recorders.record`, not directly."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        top_k: int,
        on_step: Callable[[StepRecord], None] | None,
        task: Mapping[str, Any] | None,
    ) -> None:
        checked_range("top_k", top_k, 1, whole=True, unit="alternatives to keep")
        try:
            self._task = RunTask.of(json.loads(json.dumps(dict(task or {}))))
        except (TypeError, ValueError) as error:
            raise RecordingError(f"the task's facts must be JSON types (text, numbers, lists, ...): {error}") from error
        self._model = model
        self._texts = TokenTexts(tokenizer)
        self._top_k = top_k
        self._on_step = on_step
        self._hooks = InstanceHooks()
        self._runs: list[Run] = []
        self._of_thread = threading.local()

    @abstractmethod
    def install(self, hooks: InstanceHooks) -> None:
        """Hook the model for the time of the block."""

    # -- the block -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        with _lock:
            if id(self._model) in _being_recorded:
                raise RecordingError(
                    f"this {type(self._model).__name__} is being recorded already. Leave the other recording's block "
                    "first; several calls may share one block (recording.traces)"
                )
            _being_recorded.add(id(self._model))
        try:
            self.install(self._hooks)
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        try:
            self._hooks.restore()
        finally:
            with _lock:
                _being_recorded.discard(id(self._model))
            for run in self._runs:
                run.end("interrupted", "the recording's block ended while the call was running in another thread")

    # -- runs ----------------------------------------------------------------------------------------------------

    def _stack(self) -> list[Run]:
        """Runs of the current thread, innermost last."""
        if not hasattr(self._of_thread, "runs"):
            self._of_thread.runs = []
        runs: list[Run] = self._of_thread.runs
        return runs

    def _current(self) -> Run | None:
        """The run that a hook belongs to; None for a call that began outside the block, which is left alone."""
        runs = self._stack()
        return runs[-1] if runs and not runs[-1].ended else None

    @contextmanager
    def _kept(self, run: Run) -> Iterator[None]:
        """Keep the run from its begin to its end, whichever that is."""
        self._runs.append(run)
        try:
            yield
        except BaseException as error:
            run.end("failed" if isinstance(error, Exception) else "interrupted", text_of(error))
            raise
        else:
            run.end("complete")

    @contextmanager
    def _running(self, run: Run) -> Iterator[None]:
        """The same for one that its hooks find by :meth:`_current`."""
        self._stack().append(run)
        try:
            with self._kept(run):
                yield
        finally:
            self._stack().remove(run)

    def _announce(self, run: Run) -> None:
        """Hand the last step to ``on_step``."""
        if self._on_step is None or run.stopped_by:
            return
        from dgemma_viz.recorders.assemble import step_record

        self._tell(lambda: step_record(run, self._texts))

    def _tell(self, record: Callable[[], StepRecord]) -> None:
        """Call ``on_step``, if there is one, with a step that is made for it."""
        if self._on_step is None:
            return
        try:
            self._on_step(record())
        except Exception as error:  # noqa: BLE001 - the user's callback must not end the user's generation
            self._on_step = None
            warn_user(f"on_step failed with {text_of(error)}; it is not called again. The generation goes on.")

    # -- results -------------------------------------------------------------------------------------------------

    def result(self, output: Any) -> Any:
        """Hand over what the last run returned, where it is recorded by its passes and nothing is seen to return it.

        A function beside a model's class (``generate(model, ...)``), or a loop in a script, decides once more after the
        last pass. What was decided there is in its result alone. Other recorders see it themselves and need no telling.

        Parameters
        ----------
        output
            Token ids, whole sequence or answer alone, ``(B, n)``, ``(n,)`` or a list for each sample; or what holds
            them (``sequences``, or the first of a tuple).

        Returns
        -------
        Any
            The same, so that it can stand around the call: ``ids = recording.result(generate(model, ...))``.

        Raises
        ------
        RecordingError
            It holds no token ids, or they are not the result of this run.
        """
        return output

    @property
    def traces(self) -> list[Trace]:
        """One trace per ended call of which at least one denoising step ran, in the order they began."""
        return [self._trace_of(run) for run in self._runs if run.ended and self._has_steps(run)]

    @property
    def trace(self) -> Trace:
        """Trace of the last ended run.

        Raises
        ------
        RecordingError
            There is none: no call was made, it is still running, or it failed before its first denoising step.
        """
        if not self._runs:
            raise RecordingError(
                "nothing was recorded: call the model's generate(), or the pipeline, inside the 'with' block, "
                "then read recording.trace"
            )
        run = self._runs[-1]
        if not run.ended:
            raise RecordingError("the call is still running; read recording.trace after it, or use on_step")
        if not self._has_steps(run):
            raise RecordingError(f"the call did not finish a single denoising step: {self._why_no_steps(run)}")
        return self._trace_of(run)

    def _has_steps(self, run: Run) -> bool:
        return bool(run.steps)

    def _why_no_steps(self, run: Run) -> str:
        return run.facts.error or "it ended without one"

    def _trace_of(self, run: Run) -> Trace:
        from dgemma_viz.recorders.assemble import assemble

        if run.trace is None:
            run.trace = assemble(run, self._texts)
        return run.trace
