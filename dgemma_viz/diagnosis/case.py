"""What the rules look at: a run, its samples, their canvases, with what several rules need computed once.

A rule's check gets the view that the rule is about and returns a finding, or None; positions are grouped, so a rule
gives at most one finding per run, sample or canvas.

Three frozen views that hold references, no copies of a trace: :class:`RunCase` has :class:`SampleCase` has
:class:`CanvasCase`. Derived arrays are cached properties, so each is computed at most once per diagnosis and only if a
rule asks. Canvases without an active step, and canvases after a sample's end (their tokens are padding), are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.chat import ChatStructure, chat_structure
from dgemma_viz.analysis.open_positions import given_positions, open_positions
from dgemma_viz.analysis.positions import answer_positions, ever_accepted, open_flips
from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.rules.finding import Finding
from dgemma_viz.rules.need import Case
from dgemma_viz.rules.rule import Checked
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]

UNSURE = 0.9
"""Confidence below which an emitted token is called unsure. Hardly any healthy run of the bundled model ends with one
(docs/diagnose.md has the false alarms by task)."""


@dataclass(frozen=True, eq=False)
class RunCase(Case):
    """A trace and what is known about its outputs (one judgement per sample, or None)."""

    @cached_property
    def samples(self) -> tuple[SampleCase, ...]:
        """All samples of the batch."""
        return tuple(SampleCase(self, index, judgement) for index, judgement in enumerate(self.judgements))


@dataclass(frozen=True, eq=False)
class SampleCase:
    """One sample."""

    run_case: RunCase
    sample: int
    judgement: Judgement | None

    @property
    def trace(self) -> Trace:
        """The whole trace."""
        return self.run_case.trace

    @cached_property
    def canvases(self) -> tuple[CanvasCase, ...]:
        """Canvases that were denoised before the sample's end."""
        runs = (self.trace.canvas_run(canvas, self.sample) for canvas in range(self.trace.n_canvases))
        return tuple(CanvasCase(self, run) for run in runs if run.n_steps and not run.past_end)

    @cached_property
    def emitted(self) -> Array:
        """Emitted token ids of the output in one row, without canvases after the sample's end: int."""
        inside = self.trace.in_emitted & ~self.trace.past_end[:, self.sample, None]
        ids: Array = self.trace.emitted[:, self.sample][inside]
        return ids[slice(*self.trace.output_span)]

    @cached_property
    def end(self) -> int | None:
        """Place of the first end-of-sequence token in :attr:`emitted`."""
        ends = np.flatnonzero(np.isin(self.emitted, self.trace.facts.eos_token_ids))
        return int(ends[0]) if len(ends) else None

    @property
    def chat(self) -> ChatStructure:
        """Turns and channels."""
        return chat_structure(self.trace, self.sample)

    @property
    def answer(self) -> Array:
        """Emitted token ids before the end-of-sequence token."""
        return self.emitted[: self.end]

    def place(self, index: int) -> tuple[int, int]:
        """Canvas and position of an index into :attr:`emitted`."""
        return self.trace.place(index + self.trace.output_span[0])

    def canvas(self, canvas: int) -> CanvasCase | None:
        """A canvas, or None where it was left out."""
        return next((case for case in self.canvases if case.run.canvas == canvas), None)

    def is_filler(self, ids: Array) -> Array:
        """Which token ids are end-of-sequence or padding: bool, same shape."""
        filler: Array = np.isin(ids, self.trace.facts.filling_ids)
        return filler

    def settled_at(self, canvas: int, position: int) -> int | None:
        """Step from which the draft at a position no longer changed; None where there is none."""
        case = self.canvas(canvas)
        return None if case is None else int(np.flatnonzero(case.flips[:, position]).max(initial=0))


@dataclass(frozen=True, eq=False)
class CanvasCase:
    """One canvas of one sample, with at least one active step."""

    sample_case: SampleCase
    run: CanvasRun

    @property
    def trace(self) -> Trace:
        """The whole trace."""
        return self.run.trace

    def number(self, name: str) -> float | None:
        """A setting asked for, where it is a number."""
        return self.sample_case.run_case.number(name)

    @property
    def judgement(self) -> Judgement | None:
        """Judgement of the sample's output."""
        return self.sample_case.judgement

    @property
    def last_step(self) -> int:
        """Last active step."""
        return self.run.n_steps - 1

    @cached_property
    def draft(self) -> Array:
        """Int ``(T, C)``."""
        return self.run.array("draft")

    @cached_property
    def candidate(self) -> Array:
        """Int ``(T, C)``."""
        return self.run.array("candidate")

    @cached_property
    def accepted(self) -> Array:
        """Bool ``(T, C)``."""
        return self.run.array("accepted")

    @property
    def decided(self) -> Array:
        """Steps that made a decision: bool ``(T, 1)``."""
        return self.run.decided[:, None]

    @cached_property
    def entropy(self) -> Array:
        """Nats ``(T, C)``; NaN where not measured or not a number."""
        return self.run.array("entropy")

    @cached_property
    def confidence(self) -> Array:
        """Probability of the draft ``(T, C)``; NaN where not measured or not a number."""
        return self.run.array("confidence")

    @cached_property
    def open(self) -> Array:
        """Where the sampler could yet fill the position, so that the draft there matters: bool ``(T, C)``."""
        return open_positions(self.run)

    @cached_property
    def clamped(self) -> Array:
        """Where one token alone was left, so that its confidence is not the model's: bool ``(T, C)``."""
        return clamped(self.run)

    @property
    def last_free_entropy(self) -> float:
        """Mean entropy in the last step of positions that were not clamped, nats; 0 where all were."""
        free = ~self.clamped[-1]
        return float(self.entropy[-1, free].mean(dtype=float)) if free.any() else 0.0

    @cached_property
    def given(self) -> Array:
        """Positions that held their token before the first step: bool ``(C,)``."""
        return given_positions(self.run)

    @cached_property
    def flips(self) -> Array:
        """Where the draft of an open position changed: bool ``(T, C)``."""
        return open_flips(self.run)

    @cached_property
    def ever_accepted(self) -> Array:
        """Whether the emitted token was ever accepted: bool ``(C,)``."""
        return ever_accepted(self.run)

    @cached_property
    def is_text(self) -> Array:
        """Whether the canvas ends with a token there that is neither end-of-sequence nor padding: bool ``(C,)``.

        That of the last draft; where the position was fixed before, what it held.
        """
        ids = np.where(self.open[-1], self.draft[-1], self.run.array("noised")[-1])
        return ~self.sample_case.is_filler(ids)

    @cached_property
    def answer(self) -> Array:
        """Positions of the answer, its end-of-sequence token included: bool ``(C,)``."""
        return answer_positions(self.run)

    @cached_property
    def stopped_by_rule(self) -> bool:
        """The stop rule ended this canvas."""
        return bool(self.run.array("finished")[-1])

    @cached_property
    def expected_errors(self) -> Array:
        """Tokens of the answer that are wrong by the model's own probabilities: sum of ``1 - confidence``, ``(T,)``.

        Of those that were open in the step. NaN where a confidence is not a number. As good as the model is calibrated.
        """
        doubts = np.where(self.open, 1.0 - self.confidence.astype(float), 0.0)
        sums: Array = doubts[:, self.answer].sum(axis=1)
        return sums

    @cached_property
    def unsure_positions(self) -> tuple[int, ...]:
        """Positions of the answer, open in the last step, whose confidence was below :data:`UNSURE` in it."""
        return tuple(np.flatnonzero(self.answer & self.open[-1] & (self.confidence[-1] < UNSURE)).tolist())

    def texts(self, ids: Array) -> list[str]:
        """Texts of token ids. NOT escaped."""
        return [self.trace.token_text(token) for token in ids]


def per_run(check: Callable[[RunCase], Finding | None]) -> Callable[[RunCase], Iterator[Checked]]:
    """A check of the whole run."""
    return lambda case: iter((Checked(1, check(case)),))


def per_sample(check: Callable[[SampleCase], Finding | None]) -> Callable[[RunCase], Iterator[Checked]]:
    """A check of each sample's output."""

    def checks(case: RunCase) -> Iterator[Checked]:
        for sample in case.samples:
            found = check(sample)
            yield Checked(1, found and replace(found, sample=sample.sample))

    return checks


def per_canvas(check: Callable[[CanvasCase], Finding | None]) -> Callable[[RunCase], Iterator[Checked]]:
    """A check of each canvas of each sample."""

    def checks(case: RunCase) -> Iterator[Checked]:
        for sample in case.samples:
            for canvas in sample.canvases:
                found = check(canvas)
                yield Checked(1, found and replace(found, sample=sample.sample, canvas=canvas.run.canvas))

    return checks
