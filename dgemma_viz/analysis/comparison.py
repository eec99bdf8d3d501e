"""Two traces side by side: what they have in common, what is not compared and why, and where they differ step by step.

Design. Steps are aligned by their number in the canvas, counted from 0, because that is how the sampler counts: two
runs from one seed are the same up to the first step that something changed. Runs that stop at different steps are
compared over the steps that both ran; afterwards the run that has stopped keeps its last draft, as its output does.

Tokens are compared by id, which means something only where both traces use one vocabulary. Arrays that one trace did
not record are left out, and so are candidates and decisions of a step that made none in one of them. Of the first
canvas whose length differs the traces share the beginning: all later canvases start elsewhere in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]

TOKENS_OF_A_STEP = ("noised", "candidate", "draft", "accepted")
"""Arrays whose differences are taken value by value."""

RELATIVE, ABSOLUTE = 2e-3, 1e-4
"""How far two entropies (nats) or confidences may be apart and still count as equal: one rounding to bfloat16, and what
two ways of summing over a vocabulary differ by; :class:`dgemma_viz.conformance.Tolerances`, rounded up."""


@dataclass(frozen=True, eq=False)
class Differences:
    """Where two runs of one canvas differ: bool ``(T, C)`` each, over the longer run's steps and shared positions.

    Attributes
    ----------
    noised, candidate, accepted
        Another token read, another candidate, kept in one run only. False after :attr:`common` steps.
    distribution
        Entropy or confidence further apart than :data:`RELATIVE` and :data:`ABSOLUTE`, or another draft. False after
        :attr:`common` steps.
    draft
        Another draft. After :attr:`common` steps the run that has stopped keeps its last draft.
    common
        Steps that both runs have.
    """

    noised: Array
    candidate: Array
    accepted: Array
    distribution: Array
    draft: Array
    common: int

    @property
    def draft_fractions(self) -> Array:
        """Fraction of the compared positions with another draft at each step: float ``(T,)``; NaN without positions."""
        steps, positions = self.draft.shape
        return self.draft.sum(axis=1) / positions if positions else np.full(steps, np.nan)


@dataclass(frozen=True, eq=False)
class TracePair:
    """Two traces that can be compared; made by :func:`pair_of`.

    Attributes
    ----------
    a, b
        The traces.
    canvases
        Canvases, from the first, whose positions mean the same in both.
    positions
        Most positions, from 0, that such a canvas shares.
    remarks
        What is not compared, or only with care, in sentences.
    """

    a: Trace
    b: Trace
    canvases: int
    positions: int
    remarks: tuple[str, ...]

    @property
    def traces(self) -> tuple[Trace, Trace]:
        """Both, A first."""
        return self.a, self.b

    @property
    def n_canvases(self) -> int:
        """Canvases of the trace that has more of them."""
        return max(self.a.n_canvases, self.b.n_canvases)

    @property
    def n_samples(self) -> int:
        """Samples of the trace that has more of them."""
        return max(self.a.n_samples, self.b.n_samples)

    def runs(self, canvas: int, sample: int) -> tuple[CanvasRun | None, CanvasRun | None]:
        """That canvas of that sample in A and B; None where a trace does not have it."""
        run_a, run_b = (
            trace.canvas_run(canvas, sample) if canvas < trace.n_canvases and sample < trace.n_samples else None
            for trace in self.traces
        )
        return run_a, run_b

    def n_steps(self, canvas: int, sample: int) -> int:
        """Steps of the longer run of that canvas and sample."""
        return max(run.n_steps if run else 0 for run in self.runs(canvas, sample))

    def _width(self, canvas: int) -> int:
        """Positions of a canvas that mean the same in both."""
        return min(int(trace.canvas_lengths[canvas]) for trace in self.traces) if canvas < self.canvases else 0

    def recorded(self, name: str) -> bool:
        """Whether both traces recorded an array."""
        return not any(name in trace.facts.absent for trace in self.traces)

    def differences(self, canvas: int = 0, sample: int = 0) -> Differences:
        """Where the runs of one canvas differ; everywhere false, with no common step, if they cannot be compared."""
        run_a, run_b = self.runs(canvas, sample)
        steps = self.n_steps(canvas, sample)
        shape = steps, self._width(canvas)
        found = {name: np.zeros(shape, dtype=bool) for name in (*TOKENS_OF_A_STEP, "distribution")}
        if run_a is None or run_b is None or not run_a.n_steps or not run_b.n_steps:
            return Differences(**found, common=0)
        common, width = min(run_a.n_steps, run_b.n_steps), shape[1]
        for name in TOKENS_OF_A_STEP:
            if self.recorded(name):
                found[name][:common] = run_a.array(name)[:common, :width] != run_b.array(name)[:common, :width]
        for name in ("candidate", "accepted"):
            found[name][:common] &= (run_a.decided[:common] & run_b.decided[:common])[:, None]
        found["distribution"][:common] = found["draft"][:common]
        for name in ("entropy", "confidence"):
            if self.recorded(name):
                value_a, value_b = (run.array(name)[:common, :width] for run in (run_a, run_b))
                found["distribution"][:common] |= ~np.isclose(value_a, value_b, RELATIVE, ABSOLUTE, equal_nan=True)
        if self.recorded("draft") and common < steps:
            last_a, last_b = (_held(run, steps)[common:, :width] for run in (run_a, run_b))
            found["draft"][common:] = last_a != last_b
        return Differences(**found, common=common)

    def differing_output(self, sample: int = 0) -> Array:
        """Positions of the output whose emitted tokens differ: bool ``(N, C)`` over canvases that both emitted.

        The output reaches to the first end-of-sequence token of the trace in which that comes later; what is emitted
        after it is fill, and false. Shape ``(0, C)`` for a sample that one trace does not have.
        """
        there = sample < min(self.a.n_samples, self.b.n_samples)
        emitted = min(self.canvases, len(self.a.emitted), len(self.b.emitted)) if there else 0
        if not emitted or not self.recorded("emitted"):
            return np.zeros((0, self.positions), dtype=bool)
        ids_a, ids_b = (trace.emitted[:emitted, sample, : self.positions] for trace in self.traces)
        length = max(_output_length(trace, ids) for trace, ids in zip(self.traces, (ids_a, ids_b), strict=True))
        within = np.arange(ids_a.size).reshape(ids_a.shape) < length
        within &= np.arange(self.positions) < np.array([self._width(canvas) for canvas in range(emitted)])[:, None]
        differing: Array = within & (ids_a != ids_b)
        return differing


def pair_of(a: TraceLike, b: TraceLike) -> TracePair:
    """Align two traces, or trace files.

    Raises
    ------
    TraceError
        One of them is not a trace (:func:`~dgemma_viz.trace.as_trace.as_trace`), or they do not share a vocabulary, so
        that token ids cannot be compared.
    """
    a, b = as_trace(a, "a comparison"), as_trace(b, "a comparison")
    _check_vocabularies(a, b)
    other = _first_of_other_length(a, b)
    return TracePair(
        a,
        b,
        canvases=min(a.n_canvases, b.n_canvases) if other is None else other + 1,
        positions=min(a.canvas_length, b.canvas_length),
        remarks=tuple(_remarks(a, b)),
    )


def _first_of_other_length(a: Trace, b: Trace) -> int | None:
    """First canvas of both that has another length in one of them."""
    shared = min(a.n_canvases, b.n_canvases)
    other = np.flatnonzero(a.canvas_lengths[:shared] != b.canvas_lengths[:shared])
    return int(other[0]) if len(other) else None


def prompts_differ(a: Trace, b: Trace, sample: int) -> bool:
    """Whether both traces hold a prompt of a sample, and another one."""
    prompts = a.prompt_text(sample), b.prompt_text(sample)
    return all(prompts) and prompts[0] != prompts[1]


def _check_vocabularies(a: Trace, b: Trace) -> None:
    shared = a.token_texts.keys() & b.token_texts.keys()
    other = sorted(token for token in shared if a.token_texts[token] != b.token_texts[token])
    if other:
        texts = " but ".join(repr(trace.token_texts[other[0]][:20]) for trace in (a, b))
        raise TraceError(
            f"these traces do not share a vocabulary: token {other[0]} reads {texts} ({len(other)} such tokens). Token "
            "ids can only be compared between runs of one tokenizer; record both with the same"
        )
    sizes = {trace.facts.vocab_size for trace in (a, b) if trace.facts.vocab_size}
    if len(sizes) > 1 and not shared:
        raise TraceError(
            f"these traces have vocabularies of {a.facts.vocab_size} and {b.facts.vocab_size} tokens, and no token "
            "text in common that would show that their ids mean the same; record both with their tokenizer"
        )


def _remarks(a: Trace, b: Trace) -> Iterator[str]:
    if a.facts.vocab_size and b.facts.vocab_size and a.facts.vocab_size != b.facts.vocab_size:
        yield (
            f"The vocabularies have {a.facts.vocab_size} and {b.facts.vocab_size} tokens; the token texts that both "
            "traces hold agree, so tokens are compared by id."
        )
    if (other := _first_of_other_length(a, b)) is not None:
        lengths = [int(trace.canvas_lengths[other]) for trace in (a, b)]
        before = f" of canvas {other} are compared, and no canvas after it." if other else " of canvas 0 are compared."
        yield f"Canvases of {lengths[0]} and {lengths[1]} positions: only the first {min(lengths)} positions{before}"
    elif a.n_canvases != b.n_canvases:
        yield f"{counted(a.n_canvases, 'canvas')} in A, {b.n_canvases} in B: those that both have are compared."
    if a.n_samples != b.n_samples:
        yield f"{counted(a.n_samples, 'sample')} in A, {b.n_samples} in B: samples are compared by their number."
    if any(prompts_differ(a, b, sample) for sample in range(min(a.n_samples, b.n_samples))):
        yield "The prompts differ, so the runs would differ whatever the settings."
    for name, trace in (("A", a), ("B", b)):
        if not trace.n_steps:
            yield f"{name} holds no denoising step."
        if missing := [array for array in trace.facts.absent if array in {*TOKENS_OF_A_STEP, "entropy", "confidence"}]:
            yield f"{name} did not record {', '.join(missing)}: not compared."


def _held(run: CanvasRun, steps: int) -> Array:
    """Drafts ``(steps, C)`` of a run that keeps its last one."""
    return run.array("draft")[np.minimum(np.arange(steps), run.n_steps - 1)]


def _output_length(trace: Trace, ids: Array) -> int:
    """Emitted tokens ``(N, C)`` up to and with the first end-of-sequence token."""
    ends = np.flatnonzero(np.isin(ids.reshape(-1), trace.facts.eos_token_ids))
    return int(ends[0]) + 1 if len(ends) else ids.size
