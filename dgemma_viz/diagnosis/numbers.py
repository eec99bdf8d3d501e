"""The rule about numbers that are none: NaN and infinite logits."""

from __future__ import annotations

import re

import numpy as np

from dgemma_viz.analysis.sampler_kind import predicted
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.diagnosis.finding import Severity
from dgemma_viz.diagnosis.quoting import count, places
from dgemma_viz.diagnosis.rule import RunRule, Seen

_ERROR_OF_NUMBERS = re.compile(r"\b(nan|inf|infinity)\b", re.IGNORECASE)
"""What ``torch.multinomial`` says of them, which ends a run in transformers before the step is recorded."""


def _not_finite(case: RunCase) -> Seen | None:
    trace = case.trace
    recorded = [array for array in (trace.entropy, trace.confidence) if np.isfinite(array).any()]
    broken = np.zeros(trace.noised.shape, dtype=bool)
    for array in recorded:
        broken |= ~np.isfinite(array)
    broken &= trace.active[:, :, None] & predicted(trace)
    if broken.any():
        step, sample = (int(index) for index in np.argwhere(broken.any(axis=2))[0])
        positions = np.flatnonzero(broken[step, sample])
        return Seen(
            Severity.ERROR,
            f"{count(int(broken.sum()), 'position')} over all steps hold entropies or confidences that are not finite, "
            f"first in sample {sample} at {places(positions.tolist())}.",
            canvas=int(trace.canvas[step]),
            step=int(trace.step_in_canvas[step]),
            positions=tuple(positions.tolist()),
            evidence={"values": int(broken.sum()), "steps": int(broken.any(axis=(1, 2)).sum())},
        )
    if trace.facts.status == "failed" and _ERROR_OF_NUMBERS.search(trace.facts.error):
        return Seen(
            Severity.ERROR,
            f"The step after the last recorded one failed on its numbers: {trace.facts.error!r}",
            canvas=trace.n_canvases - 1 if trace.n_steps else None,
            step=int(trace.step_in_canvas[-1]) if trace.n_steps else None,
            evidence={"values": 0},
        )
    return None


RULES = (
    RunRule(
        name="numbers-not-finite",
        title="NaN or infinite logits",
        means="Logits held NaN or infinity: no distribution, so whatever was drawn there means nothing, and it spreads "
        "through self-conditioning.",
        remedy="Look for an overflow in half precision, a fully masked attention row, or a logits processor that "
        "divides by zero; run the step in float32.",
        source="vllm#47424 (NaN hidden state, canvas of pads); torch.multinomial in transformers",
        check=_not_finite,
    ),
)
