"""NaN or infinite numbers, and the canvas of padding that they become in runtimes that go on."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.sampler_kind import predicted
from dgemma_viz.conformance import needs
from dgemma_viz.conformance.evidence import Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import OF_A_DECISION

_NUMBERS = ("entropy", "confidence", "candidate_probability", "top_k_probabilities")
_FEWEST_POSITIONS = 4
"""A canvas shorter than this may be padding by chance."""


def _finite(evidence: Evidence, run: CanvasRun) -> Checked:
    bad = np.zeros((run.n_steps, run.canvas_length), dtype=bool)
    predicted_here = predicted(evidence.trace)[run.steps, run.sample, : run.canvas_length]
    broken: list[str] = []
    for name in filter(evidence.has, _NUMBERS):
        judged = predicted_here & run.decided[:, None] if name in OF_A_DECISION else predicted_here
        finite = np.isfinite(run.array(name))
        here = judged & ~(finite.all(axis=-1) if finite.ndim > bad.ndim else finite)
        bad |= here
        if here.any():
            broken.append(name)
    if not bad.any():
        return Checked(bad.size)
    t, position = first_place(bad)
    step = int(steps_of(run)[t])
    return Checked(
        bad.size,
        Breach(
            step,
            position,
            "NaN or infinite",
            "finite numbers",
            f"{', '.join(broken)} not finite at {int(bad[t].sum())} of {run.canvas_length} positions of step {step}.",
            int(bad.sum()),
        ),
    )


def _not_all_padding(evidence: Evidence, run: CanvasRun) -> Checked:
    if run.canvas_length < _FEWEST_POSITIONS or run.past_end or evidence.ended_before(run):
        return Checked(0)
    padded = (run.array("draft") == evidence.trace.facts.pad_token_id).all(axis=1)
    if not padded.any():
        return Checked(run.n_steps)
    step = int(steps_of(run)[int(np.argmax(padded))])
    return Checked(
        run.n_steps,
        Breach(
            step,
            None,
            "padding at every position",
            "a draft with text",
            f"The draft of step {step} is padding from end to end: often the argmax of NaN logits.",
            int(padded.sum()),
        ),
    )


RULES = (
    Rule(
        "numbers-finite",
        "Entropies and probabilities are finite numbers.",
        "vllm#47424 (NaN hidden state); torch.multinomial refuses NaN, other runtimes go on",
        (needs.any_array(*_NUMBERS),),
        each(_finite),
    ),
    Rule(
        "canvas-not-padding",
        "Before the end of the sequence, no draft is padding from end to end.",
        "vllm#47424 (NaN hidden state, canvas of <pad>)",
        (needs.padding,),
        each(_not_all_padding),
    ),
)
