"""The rule about canvases that do not fit together.

A canvas reads the ones before through the encoder's cache. Where that goes wrong (cache, positions, mask), it shows at
the boundary: text comes twice, or certainty ends with the canvas before.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.diagnosis.case import Array, CanvasCase, per_canvas
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, quote
from dgemma_viz.rules.rule import Rule

SAME_BEGINNING = 8
"""Equal tokens at the beginning of two neighbouring canvases. By chance only text with exactly a canvas's period has
them; the lists of the bundled model, all sentences alike, never do."""
SAME_OVERLAP = 4
"""Tokens at the end of a canvas that the next one begins with. Shorter ones (a repeated digit, two words) are ordinary
text."""
MORE_DOUBT = 1.0
"""Tokens expected wrong in a canvas, as a mean over its steps, beyond those in the canvas before. The released stop
rule leaves fewer than one (:data:`dgemma_viz.diagnosis.stopping.ONE_ERROR`)."""


def _boundary(case: CanvasCase) -> Finding | None:
    before = next((other for other in case.sample_case.canvases if other.run.canvas == case.run.canvas - 1), None)
    if before is None or before.run.emitted is None or case.run.emitted is None:
        return None
    repeated = repeated_tokens(before.run.emitted, case.run.emitted[case.answer])
    doubt, doubt_before = _doubt(case), _doubt(before)
    if repeated:
        again = quote(case.texts(case.run.emitted[:repeated]))
        what = f"It begins with {counted(repeated, 'token')} that the canvas before already holds: {again}."
        positions = tuple(range(repeated))
    elif doubt - doubt_before >= MORE_DOUBT:
        what = (
            f"Certainty ends at its boundary: on average over its steps, by the model's own confidence, {doubt:.2g} "
            f"of its {counted(int(case.answer.sum()), 'token')} are wrong, against {doubt_before:.2g} of "
            f"{int(before.answer.sum())} in the canvas before."
        )
        positions = case.unsure_positions
    else:
        return None
    return Finding(
        Severity.WARNING,
        what,
        step=case.last_step,
        positions=positions,
        evidence={"repeated_tokens": repeated, "more_errors_expected": doubt - doubt_before},
    )


def _doubt(case: CanvasCase) -> float:
    """Mean of the expected errors over the steps, without the first one, which reads nothing but noise."""
    return float(case.expected_errors[min(1, case.last_step) :].mean())


def repeated_tokens(before: Array, after: Array) -> int:
    """Tokens at the beginning of a canvas that repeat the beginning or the end of the one before; 0 if too few.

    Parameters
    ----------
    before, after
        Token ids of two neighbouring canvases; ``after`` up to the end of the answer.
    """
    common = min(len(before), len(after))
    beginning = int(np.cumprod(before[:common] == after[:common]).sum())
    if beginning >= SAME_BEGINNING:
        return beginning
    lengths = common - np.flatnonzero(before[len(before) - common :] == after[:1])
    overlaps = [int(n) for n in lengths if np.array_equal(before[len(before) - n :], after[:n])]
    longest = max(overlaps, default=0)
    return longest if longest >= SAME_OVERLAP else 0


RULES = (
    Rule(
        name="canvas-boundary",
        title="Canvases that do not join",
        says="A canvas does not go on where the one before ended: it says the same again, or lost its certainty.",
        remedy="Check what the decoder reads of finished canvases: encoder cache, attention mask, position ids.",
        source="transformers 5.23 generate(), steps 1.a and 1.f (_prepare_kwargs_for_next_canvas)",
        needs=(need.EMITTED, need.values("confidence")),
        check=per_canvas(_boundary),
    ),
)
