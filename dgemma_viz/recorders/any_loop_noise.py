"""What the passes of a run decided where noise is no token of its own, but any token of the vocabulary.

Nothing in a canvas says which of its tokens are noise. The logits do, after the fact: a token that the next pass reads
is counted as accepted where the pass before gave it more probability than one of all tokens has, and as noise where it
gave it less. That is a judgement of each position, right for most and wrong for some: a random token may be a probable
one, and an accepted one improbable. The canvas is what lies between the first and the last position that ever changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dgemma_viz.recorders.any_loop_alignment import Revealed, alignment_of
from dgemma_viz.recorders.any_loop_decisions import (
    Inferred,
    Span,
    Step,
    afterwards,
    decided,
    emitted_of,
    laid_out,
    last_read,
    with_afterwards,
)
from dgemma_viz.recorders.any_loop_pass import Pass
from dgemma_viz.recorders.own_loop_step import Array
from dgemma_viz.trace.decision import Decision, Phase, is_accepted
from dgemma_viz.trace.model import UNKNOWN_TOKEN


def inferred_noise(passes: Sequence[Pass], final: Array) -> Inferred | None:
    """Steps of a run without a mask token, as one canvas; None if no position ever changed.

    Parameters
    ----------
    passes
        In the order in which they ran, at least one.
    final
        What stands in the sequence after the last of them, ``(B, W)``, :data:`UNKNOWN_TOKEN` where that is not known.
    """
    read = with_afterwards(passes, final)
    places = [np.flatnonzero(one.changed.any(axis=0)) + one.of.reading.begin for one in read]
    changed = np.concatenate(places)
    if not len(changed):
        return None
    span = int(changed.min()), int(changed.max()) + 1
    steps = [
        one for one in read if one.of.numbers and one.of.reading.begin <= span[0] and one.of.reading.end >= span[1]
    ]
    if not steps:
        return None
    alignment = alignment_of(_read_afterwards(steps, span))
    told = [(0, _values(one, span, alignment.shift)) for one in steps]
    return Inferred(
        told, [span], emitted_of(told, [span], last_read(passes, final)), alignment, len(passes) - len(steps)
    )


def _read_afterwards(steps: Sequence[Step], span: Span) -> list[Revealed]:
    found = []
    for one in steps:
        samples, columns = np.nonzero(one.changed)
        inside = (columns + one.of.reading.begin >= span[0]) & (columns + one.of.reading.begin < span[1])
        samples, columns = samples[inside], columns[inside]
        found.append(Revealed(one.of, samples, columns, one.after[samples, columns]))
    return found


def _values(step: Step, span: Span, shift: int) -> dict[str, Array]:
    begin, end = span[0] - step.of.reading.begin, span[1] - step.of.reading.begin
    noised = step.ids[:, begin:end].copy()
    values = laid_out(step.of, span, shift, noised)
    values["phase"] = np.array(Phase.DENOISE, np.uint8)
    after = afterwards(step, span, noised)
    if (after == UNKNOWN_TOKEN).any():
        return values
    told = decided(step.of, span, shift, values, after, np.ones(after.shape, bool))
    put = told["candidate_probability"] > 1 / step.of.vocabulary
    decision = np.where(put, Decision.ACCEPTED, Decision.NOISE).astype(np.uint8)
    told = decided(step.of, span, shift, values, after, put)
    return values | told | {"decision": decision, "accepted": is_accepted(decision)}
