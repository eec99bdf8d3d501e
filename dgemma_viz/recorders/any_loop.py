"""The recorder of any model that denoises by repeated forward passes, whatever drives it.

LLaDA's ``generate(model, ...)`` stands beside its class, Dream has ``diffusion_generate``, others bring a ``generate``
with their weights, or a script has the loop. What they share is a model that is called again and again. Hooked, for the
time of the block, as attributes of the one model object (and of what wraps it):

====================================  ================================================================================
``forward``                           what each pass reads, before it runs; its logits, afterwards, reduced at once
methods called generate or sample     a run begins and ends; what they return tells what the last pass decided
====================================  ================================================================================

The rest is inference: which passes belong together (:mod:`dgemma_viz.recorders.any_loop_open`,
:mod:`dgemma_viz.recorders.any_loop_runs`) and, when a trace is asked for, what they decided
(:mod:`dgemma_viz.recorders.any_loop_decisions`), of which positions the logits speak
(:mod:`dgemma_viz.recorders.any_loop_alignment`). Every trace says so.

Why it is neutral. ``forward`` runs with its own arguments, and what it returns goes back untouched. Ids are copied
before the pass; nothing is drawn from a random generator; no logits are kept. The tensor that the last pass read is
held until the next one, for a look at what the loop left in it. A failure of the recorder ends the recording, not the
generation. While ``torch.compile`` traces a model, the hook is not there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import torch

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.any_loop_doubts import why_nothing
from dgemma_viz.recorders.any_loop_open import OpenRuns, first_row, follow_moved
from dgemma_viz.recorders.any_loop_pass import Reading, pass_of, read
from dgemma_viz.recorders.any_loop_result import rows_of
from dgemma_viz.recorders.any_loop_runs import Guidance, WatchedRun
from dgemma_viz.recorders.any_loop_trace import PutTogether, give_returned, put_together, trace_of
from dgemma_viz.recorders.assemble import record_of
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.recorders.mask_token import mask_tokens
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run, warn_user
from dgemma_viz.recorders.run_facts import vocabulary_size
from dgemma_viz.redaction import text_of
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream.torch_compile import called_through

_ENTRIES = re.compile(r"(?:.*_)?(?:generate|sample)(?:_.*)?")


class AnyLoopRecording(Recording):
    """Recording of a model by its passes; see the module."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        mask_token_id: int | None = None,
        around: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            size = _size(model)
            check_tokenizer(tokenizer, size or (len(tokenizer) if hasattr(tokenizer, "__len__") else 0), ())
        super().__init__(model, tokenizer, **options)
        self._tokenizer = tokenizer
        self._masks = mask_tokens(model, tokenizer, mask_token_id)
        self._around = around
        self._passes, self._unread, self._failure = 0, 0, ""
        self._open = OpenRuns(model, tokenizer, self._task, self._masks, mask_token_id)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the model, and what wraps it."""
        for target in (*self._around, self._model):
            for name in {"forward", called_through(target)}:
                hooks.wrap(target, name, self._around_forward)
            if len(getattr(target, "device_ids", None) or ()) > 1:
                break  # it copies what is inside to each device, hooks and all
        for name in _entries(self._model):
            hooks.wrap(self._model, name, self._around_entry)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for run in self._watched():
            if not run.ended:
                self._end(run, _status(error), text_of(error) if error else "")
        super().__exit__(kind, error, traceback)

    # -- hooks ---------------------------------------------------------------------------------------------------

    def _around_forward(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling() or self._open.is_passing or self._failure:
            return original(*args, **kwargs)
        with self._open.passing():
            found: list[tuple[Reading, torch.Tensor]] = []
            self._attempt(lambda: found.extend(filter(None, [read(original, args, kwargs)])))
            taking = self._begin(*found[0]) if found else None
            self._passes, self._unread = self._passes + 1, self._unread + (not found)
            output = original(*args, **kwargs)
            if taking is not None:
                self._attempt(lambda: taking(output))
        return output

    def _around_entry(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._open.is_called:
            return original(*args, **kwargs)
        with self._open.called():
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                self._close(_status(error), text_of(error))
                raise
            if not inspect.isgenerator(result):
                self._attempt(lambda: give_returned(self._open.runs, result))
                self._close("complete")
        return result

    def _close(self, status: str, error: str = "") -> None:
        for run in self._open.runs:
            self._end(run, status, error)
            self._open.close(run)

    def _begin(self, reading: Reading, tensor: torch.Tensor) -> Callable[[Any], None] | None:
        """Find the run that a reading belongs to; what takes the pass when it has run."""
        place: list[Callable[[Any], None]] = []
        self._attempt(lambda: place.extend(filter(None, [self._placed(reading, tensor)])))
        return place[0] if place else None

    def _placed(self, reading: Reading, tensor: torch.Tensor) -> Callable[[Any], None] | None:
        run, how, reading, mask = self._open.find(reading)
        if run is None:
            how = "fits"
            run, reading = self._open.begin(reading, mask, tensor)
            self._runs.append(run)
        if how == "unconditional":
            run.guidance = Guidance.APART
            return None
        if how != "fits" or run.moved:
            follow_moved(run, reading, how)
            return None
        if mask is not None and run.answer is None:
            run.mask = mask
        half = None if run.second_half is None or len(tensor) == len(reading.ids) else tensor.chunk(2)[run.second_half]
        owner, place = run, run.place(reading)

        def take(output: Any) -> None:
            first = first_row(owner, place)
            one = pass_of(
                place,
                output,
                first,
                second_half=None if half is None else owner.second_half,
                alternatives=self._top_k,
                copies=owner.copies,
                started=owner.start_time,
            )
            owner.take(one)
            owner.tensor = tensor if half is None else half
            if self._on_step is not None:
                self._announce_settled(owner)

        return take

    def _announce_settled(self, run: WatchedRun) -> None:
        """Hand ``on_step`` the steps of which it has come to be known what they decided."""
        told = put_together(run)
        settled = len(told.steps.steps) - told.steps.undecided if told else 0
        if told is None or settled <= run.announced or run.moved:
            return
        trace, first = trace_of(run, told, self._texts, self._top_k), run.announced
        run.announced = settled
        for step in range(first, settled):
            self._tell(partial(record_of, trace, step, self._texts))

    def _end(self, run: WatchedRun, status: str, error: str = "") -> None:
        """Look once more at what the last pass read, and make the run final."""
        self._attempt(run.look)
        if self._on_step is not None:
            self._attempt(lambda: self._announce_settled(run))
        run.end(status, error)

    def _attempt(self, capture: Callable[[], None]) -> None:
        """A failure of the recorder ends the recording, never the generation."""
        if self._failure:
            return
        try:
            capture()
        except Warning:
            raise
        except Exception as error:  # noqa: BLE001 - e.g. no memory left for the reduction: the loop must go on
            self._failure = f"recording stopped because of {text_of(error)}. The loop goes on; the trace ends there."
            for run in self._open.runs:
                run.stopped_by = self._failure
                run.warn(Notice(NoticeCode.RECORDING_STOPPED, self._failure))
            if not self._open.runs:
                warn_user(self._failure)

    # -- results -------------------------------------------------------------------------------------------------

    def result(self, output: Any) -> Any:
        """See :meth:`Recording.result`."""
        rows_of(output)
        run = next((run for run in reversed(self._watched()) if self._told(run)), None)
        if run is None:
            raise RecordingError(f"there is no run that this could be the result of: {self._why_nothing()}")
        before = run.result, run.returned
        run.result, run.returned, run.trace = output, False, None
        try:
            put_together(run)
        except RecordingError:
            run.result, run.returned = before
            raise
        self._open.close(run)
        self._end(run, "complete")
        return output

    @property
    def traces(self) -> list[Trace]:
        """One trace for each run of which at least one pass denoised, in the order they began."""
        return [self._trace_of(run) for run in self._runs if self._has_steps(run)]

    @property
    def trace(self) -> Trace:
        """Trace of the last run of which at least one pass denoised, as far as it has come.

        Raises
        ------
        RecordingError
            There is none, or the result that was handed over is not that of this run.
        """
        run = next((run for run in reversed(self._runs) if self._has_steps(run)), None)
        if run is None:
            raise RecordingError(f"nothing was recorded: {self._why_nothing()}")
        return self._trace_of(run)

    def _watched(self) -> list[WatchedRun]:
        return [run for run in self._runs if isinstance(run, WatchedRun)]

    def _told(self, run: WatchedRun) -> PutTogether | None:
        if not run.ended:
            run.look()
        return put_together(run)

    def _has_steps(self, run: Run) -> bool:
        return self._told(run) is not None if isinstance(run, WatchedRun) else super()._has_steps(run)

    def _trace_of(self, run: Run) -> Trace:
        if not isinstance(run, WatchedRun):
            return super()._trace_of(run)
        if run.trace is None and (told := self._told(run)):
            trace = trace_of(run, told, self._texts, self._top_k)
            run.trace = trace if run.ended else None
            return trace
        return super()._trace_of(run)

    def _why_nothing(self) -> str:
        name = type(self._model).__name__
        return self._failure or why_nothing(name, self._passes, self._unread, self._watched(), self._open)


def _entries(model: Any) -> list[str]:
    """Public methods that are called as what begins a run."""
    found = {name for cls in type(model).__mro__ for name, value in vars(cls).items() if inspect.isfunction(value)}
    found |= {name for name, value in vars(model).items() if callable(value)}
    return sorted(name for name in found if not name.startswith("_") and _ENTRIES.fullmatch(name))


def _size(model: Any) -> int:
    """Tokens of the model's vocabulary, 0 if it does not say."""
    try:
        return vocabulary_size(model)
    except AttributeError:
        size = getattr(getattr(model, "config", None), "vocab_size", 0)
        return size if isinstance(size, int) else 0


def _status(error: BaseException | None) -> str:
    return "complete" if error is None else "failed" if isinstance(error, Exception) else "interrupted"
