"""What the passes of a run decided, inferred from what was read afterwards. Pure: passes in, steps of canvases out.

A pass that read masks, or whose tokens were changed afterwards, is a denoising step; others (a prompt that is cached, a
block that is stored) only tell what stood where. What became of a position in a step is what the next pass over it
reads; after the last, what the loop returned or left in its tensor; else it is unknown.

The answer begins at the first place that ever held a mask. It is cut where a pass began or ended inside it: loops with
a cache, and loops whose window grows, denoise a block at a time. A pass over more than one block belongs to the one in
which it decided something. Blocks in which one pass decided at once, or to which a loop came back, are one canvas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dgemma_viz.recorders.any_loop_alignment import Alignment, Revealed, alignment_of, probability, row_of
from dgemma_viz.recorders.any_loop_pass import Pass
from dgemma_viz.recorders.own_loop_step import Array
from dgemma_viz.trace.decision import Decision, Phase, is_accepted, masked_outcome
from dgemma_viz.trace.model import UNKNOWN_TOKEN

Span = tuple[int, int]


@dataclass(frozen=True)
class Inferred:
    """A run's steps, canvas by canvas in the order in which they ran.

    Attributes
    ----------
    steps
        Of each: its canvas, and arrays by the names of the schema without axis ``S``. One of which nothing is known but
        what it read lacks those of a decision.
    spans
        Places of each canvas in the sequence.
    emitted
        What the first canvases became, ``(B, C)`` each, as far as it is known.
    alignment
        Which row of the logits spoke of which position.
    others
        Passes that were no denoising steps.
    """

    steps: list[tuple[int, dict[str, Array]]]
    spans: list[Span]
    emitted: list[Array]
    alignment: Alignment
    others: int

    @property
    def undecided(self) -> int:
        """Steps of which it is not known what they decided."""
        return sum("decision" not in values for _, values in self.steps)

    @property
    def changed(self) -> int:
        """Positions in which any step changed anything."""
        codes = (Decision.ACCEPTED, Decision.EDITED)
        return sum(int(np.isin(values["decision"], codes).sum()) for _, values in self.steps if "decision" in values)


@dataclass(frozen=True)
class Step:
    """A pass: what it read, and what was read of the same places afterwards, ``(B, L)``."""

    of: Pass
    after: Array

    @property
    def ids(self) -> Array:
        """Token ids that it read, ``(B, L)``."""
        return self.of.reading.ids

    @property
    def changed(self) -> Array:
        """Places that were seen to change."""
        changed: Array = (self.after != UNKNOWN_TOKEN) & (self.after != self.ids)
        return changed


def inferred(passes: Sequence[Pass], final: Array, mask: int) -> Inferred | None:
    """Steps and canvases of a run; None if no pass denoised.

    Parameters
    ----------
    passes
        In the order in which they ran, at least one.
    final
        What stands in the sequence after the last of them, ``(B, W)``, :data:`UNKNOWN_TOKEN` where that is not known.
    mask
        Id of the mask token.
    """
    read = with_afterwards(passes, final)
    steps = [one for one in read if one.of.numbers and ((one.ids == mask).any() or one.changed.any())]
    masked = [one for one in steps if (one.ids == mask).any()]
    if not masked:
        return None
    answer = min(one.of.reading.begin + int((one.ids == mask).any(axis=0).argmax()) for one in masked)
    steps = [one for one in steps if one.of.reading.end > answer]
    spans, homes = _canvases(steps, answer, mask)
    alignment = alignment_of(_revealed(steps, mask))
    state = np.full(final.shape, UNKNOWN_TOKEN, np.int32)
    told = []
    for step, home in zip(steps, homes, strict=True):
        state[:, step.of.reading.span()] = step.ids
        told.append((home, _values(step, spans[home], alignment.shift, mask, state)))
    last = last_read(passes, final)
    return Inferred(told, spans, emitted_of(told, spans, last), alignment, len(passes) - len(steps))


def with_afterwards(passes: Sequence[Pass], final: Array) -> list[Step]:
    """Each pass with what was read of its places after it."""
    following, read = final.copy(), []
    for one in reversed(passes):
        span = one.reading.span()
        read.append(Step(one, following[:, span].copy()))
        following[:, span] = one.reading.ids
    return read[::-1]


def last_read(passes: Sequence[Pass], final: Array) -> Array:
    """What is known to stand in the sequence, ``(B, W)``: at the end, or when it was last read."""
    last = np.full(final.shape, UNKNOWN_TOKEN, np.int32)
    for one in passes:
        last[:, one.reading.span()] = one.reading.ids
    return np.where(final != UNKNOWN_TOKEN, final, last)


# -- canvases ----------------------------------------------------------------------------------------------------


def _canvases(steps: Sequence[Step], answer: int, mask: int) -> tuple[list[Span], list[int]]:
    """Canvases as spans of places, and the canvas of each step."""
    ends = {max(place, answer) for one in steps for place in (one.of.reading.begin, one.of.reading.end)}
    bounds = sorted({answer, *ends})
    owner = list(range(len(bounds) - 1))  # the canvas of each span between two bounds

    def join(first: int, last: int) -> None:
        last = len(owner) - 1 - owner[::-1].index(owner[last])
        owner[first : last + 1] = [owner[first]] * (last + 1 - first)

    homes = []
    for one in steps:
        touched = _spans_of(one, one.changed, bounds) or _spans_of(one, one.ids == mask, bounds)[:1] or [0]
        join(owner.index(owner[touched[0]]), touched[-1])
        homes.append(touched[0])
    unsettled = True
    while unsettled:
        unsettled, furthest = False, 0
        for home in homes:
            if owner[home] < owner[furthest]:
                join(owner.index(owner[home]), furthest)
                unsettled = True
            furthest = max(furthest, home)
    used = sorted({owner[home] for home in homes})
    spans = [(bounds[owner.index(one)], bounds[len(owner) - owner[::-1].index(one)]) for one in used]
    return spans, [used.index(owner[home]) for home in homes]


def _spans_of(one: Step, where: Array, bounds: Sequence[int]) -> list[int]:
    """Numbers of the spans in which any place is meant, in order."""
    places = np.flatnonzero(where.any(axis=0)) + one.of.reading.begin
    return sorted({int(span) for span in np.searchsorted(bounds, places[places >= bounds[0]], side="right") - 1})


# -- steps -------------------------------------------------------------------------------------------------------


def _revealed(steps: Sequence[Step], mask: int) -> Iterator[Revealed]:
    for one in steps:
        samples, columns = np.nonzero(one.changed & (one.after != mask))
        yield Revealed(one.of, samples, columns, one.after[samples, columns])


def _values(step: Step, span: Span, shift: int, mask: int, state: Array) -> dict[str, Array]:
    """Arrays of one step over the places of its canvas."""
    begin, end = span
    noised = state[:, begin:end].copy()
    noised[noised == UNKNOWN_TOKEN] = mask
    values = laid_out(step.of, span, shift, noised)
    values["phase"] = np.array(Phase.DENOISE if (noised == mask).any() else Phase.EDIT, np.uint8)
    after = afterwards(step, span, noised)
    unknown = after == UNKNOWN_TOKEN
    if (unknown & (noised == mask)).any():
        return values
    after = np.where(unknown, noised, after)
    decision = masked_outcome(noised, after, mask)
    put = np.isin(decision, (Decision.ACCEPTED, Decision.EDITED))
    told = decided(step.of, span, shift, values, after, put)
    return values | told | {"decision": decision, "accepted": is_accepted(decision)}


def laid_out(of: Pass, span: Span, shift: int, noised: Array) -> dict[str, Array]:
    """What a pass made of the places of a canvas; NaN at those that it did not cover."""
    covered, rows = _places(of, span, shift)
    values: dict[str, Array] = {"noised": noised, "draft": noised.copy()}
    for name in ("entropy", "confidence"):
        values[name] = np.full(noised.shape, np.nan, np.float32)
    kept = of.row("top_k_ids").shape[-1]
    values["top_k_ids"] = np.repeat(noised[..., None], kept, axis=-1)
    values["top_k_probabilities"] = np.full((*noised.shape, kept), np.nan, np.float32)
    for name in ("draft", "entropy", "confidence", "top_k_ids", "top_k_probabilities"):
        values[name][:, covered] = of.row(name)[:, rows]
    values["active"] = np.ones(len(noised), bool)
    values["wall_time"] = np.array(of.wall_time)
    return values


def afterwards(step: Step, span: Span, noised: Array) -> Array:
    """What was read of the places of a canvas after a step; what the step did not cover stays as it was."""
    begin, end = span
    reading, after = step.of.reading, noised.copy()
    low, high = max(begin, reading.begin), min(end, reading.end)
    after[:, low - begin : high - begin] = step.after[:, low - reading.begin : high - reading.begin]
    return after


def decided(of: Pass, span: Span, shift: int, values: dict[str, Array], after: Array, put: Array) -> dict[str, Array]:
    """Candidates: what was put into the canvas; elsewhere the draft stands in for what is not known."""
    covered, rows = _places(of, span, shift)
    candidate = np.where(put, after, values["draft"])
    p = values["confidence"].copy()
    who, where = np.nonzero(put[:, covered])
    p[who, covered[where]] = probability(of, who, rows[where], candidate[who, covered[where]])
    return {"candidate": candidate, "candidate_probability": p}


def _places(of: Pass, span: Span, shift: int) -> tuple[Array, Array]:
    """Places of a canvas that a pass has numbers of, and the rows of its numbers, ``(n,)`` each."""
    begin, end = span
    columns = np.arange(max(begin, of.reading.begin), min(end, of.reading.end)) - of.reading.begin
    rows = row_of(columns, of, shift)
    return columns[rows >= 0] + of.reading.begin - begin, rows[rows >= 0]


def emitted_of(told: Sequence[tuple[int, dict[str, Array]]], spans: Sequence[Span], last: Array) -> list[Array]:
    """What the canvases became, up to the first of which that is not known."""
    emitted = []
    for canvas, (begin, end) in enumerate(spans):
        of_canvas = [values for home, values in told if home == canvas]
        tokens = last[:, begin:end]
        if "decision" not in of_canvas[-1] or (tokens == UNKNOWN_TOKEN).any():
            break
        emitted.append(tokens)
    return emitted
