"""The runs of a thread that its next pass may continue, and how a run begins.

Each thread has its own, since loops in two threads may pass at once. A method of the model that begins a run
(``generate``) has none but those that its own passes begin.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from dgemma_viz.recorders.any_loop_pass import Reading
from dgemma_viz.recorders.any_loop_runs import Guidance, WatchedRun, continued, doubled
from dgemma_viz.recorders.mask_token import NONE
from dgemma_viz.recorders.run_facts import adapters, eos_ids, facts_at_start, generator_state
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.task import RunTask

_MOST = 4
"""Runs of a thread that a pass may continue; loops may take turns."""


class OpenRuns:
    """Runs that a pass of the current thread may continue.

    Parameters
    ----------
    model, tokenizer, task
        What a new run's facts are taken from; the tokenizer may be None.
    masks
        Ids that may be the mask token, the most trusted first.
    given
        What the user says of it, or None.
    """

    def __init__(self, model: Any, tokenizer: Any, task: RunTask, masks: tuple[int, ...], given: int | None) -> None:
        self._model, self._tokenizer, self._task = model, tokenizer, task
        self.masks, self._given = masks, given
        self._seen = threading.local()

    @property
    def runs(self) -> list[WatchedRun]:
        """In the order in which they began."""
        found: list[WatchedRun] = getattr(self._seen, "open", [])
        return found

    @property
    def is_told_of_no_mask(self) -> bool:
        """Whether the user says that noise is no token of its own."""
        return self._given == NONE

    def close(self, run: WatchedRun) -> None:
        """Let no pass continue a run any more."""
        self._seen.open = [one for one in self.runs if one is not run]

    # -- where in the code the thread is -------------------------------------------------------------------------

    @property
    def is_passing(self) -> bool:
        """Whether a forward pass is being watched: what it calls inside itself is part of it."""
        return getattr(self._seen, "passing", False)

    @property
    def is_called(self) -> bool:
        """Whether a method that begins a run is running."""
        return getattr(self._seen, "called", False)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around a forward pass."""
        self._seen.passing = True
        try:
            yield
        finally:
            self._seen.passing = False

    @contextmanager
    def called(self) -> Iterator[None]:
        """Around a method that begins a run: no pass in it continues a run from before."""
        before, self._seen.open, self._seen.called = self.runs, [], True
        try:
            yield
        finally:
            self._seen.called = False
            self._seen.open = [*before, *self.runs]

    # -- which run a pass belongs to -----------------------------------------------------------------------------

    def find(self, reading: Reading) -> tuple[WatchedRun | None, str, Reading, int | None]:
        """The run that a reading continues.

        Returns
        -------
        tuple
            The run, None if there is none; how the reading goes with it (:func:`continued`); the rows of the reading
            that count; and the mask token that it reads, if any.
        """
        mask = next((one for one in self.masks if (reading.ids == one).any()), None)
        guided = [run for run in self.runs if run.second_half is not None and len(reading.ids) == 2 * len(run.state)]
        for run in guided:
            half = reading.half(bool(run.second_half))
            found, how = continued([run], half)
            if found:
                return found, how, half, mask
        others = [run for run in self.runs if run not in guided]
        goes_on = any(run.goes_on(reading) for run in others)
        if mask is not None and not goes_on and doubled(reading, mask) is not None:
            return None, "", reading, mask
        found, how = continued(others, reading)
        return found, how, reading, mask

    def begin(self, reading: Reading, mask: int | None, tensor: torch.Tensor) -> tuple[WatchedRun, Reading]:
        """A new run, and the rows of the reading that count."""
        for other in self.runs:
            if other.tensor is not None and other.tensor.untyped_storage().data_ptr() != (
                tensor.untyped_storage().data_ptr()
            ):
                other.look()
            other.tensor = None
        config = getattr(self._model, "generation_config", None) or getattr(self._model, "config", None)
        pad = getattr(config, "pad_token_id", None)
        facts = facts_at_start(
            self._model,
            self._task,
            pad_token_id=pad if isinstance(pad, int) else getattr(self._tokenizer, "pad_token_id", None),
            eos_token_ids=eos_ids(config) or eos_ids(self._tokenizer),
            settings=adapters(self._model),
        )
        facts = replace(facts, device=facts.device or str(tensor.device))
        mask = mask if mask is not None else next(iter(self.masks), None)
        run = WatchedRun(facts, generator_state(tensor.device), mask=mask)
        run.finds_mask = mask is None and not self.is_told_of_no_mask
        if mask is not None and (second := doubled(reading, mask)) is not None:
            run.guidance, run.second_half = Guidance.DOUBLED, second
            reading = reading.half(second)
        self._seen.open = [*self.runs[-_MOST + 1 :], run]
        return run, reading


def first_row(run: WatchedRun, reading: Reading) -> int | None:
    """Row from which on a pass is looked at: that before the answer, since logits may be shifted; None: not at all."""
    if run.mask is None:
        return 0
    masked = (reading.ids == run.mask).any(axis=0)
    places = [] if run.answer is None else [run.answer]
    if masked.any():
        places.append(reading.begin + int(masked.argmax()))
    elif run.answer is None or reading.end <= run.answer:
        return None
    return max(0, min(places) - reading.begin - 1)


def follow_moved(run: WatchedRun, reading: Reading, how: str) -> None:
    """Say once that positions moved, and keep to the run."""
    if not run.moved:
        text = (
            f"recording stopped: {how}. A trace says what becomes of each position, so loops that insert or delete "
            "tokens cannot be recorded by their passes; the trace ends there"
        )
        run.warn(Notice(NoticeCode.RECORDING_STOPPED, text))
        run.stopped_by = text
    run.follow(reading, how)
