"""Samples of a batch that have finished wait for the others unchanged."""

from __future__ import annotations

import numpy as np

from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, first_place
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun


def _frozen(evidence: Evidence, run: CanvasRun) -> Checked:
    trace, sample = run.trace, run.sample
    steps = np.flatnonzero(trace.canvas == run.canvas)
    before, after = steps[:-1], steps[1:]
    waiting = ~trace.active[after, sample]
    changed = waiting[:, None] & (trace.draft[after, sample] != trace.draft[before, sample])
    if evidence.has("noised"):
        was_waiting = ~trace.active[before, sample]
        changed |= was_waiting[:, None] & (trace.noised[after, sample] != trace.noised[before, sample])
    if not changed.any():
        return Checked(int(waiting.sum()))
    t, position = first_place(changed)
    step = int(trace.step_in_canvas[after[t]])
    what = "draft" if trace.draft[after[t], sample, position] != trace.draft[before[t], sample, position] else "noised"
    found, expected = (int(getattr(trace, what)[row, sample, position]) for row in (after[t], before[t]))
    name = "draft" if what == "draft" else "noised canvas"
    return Checked(
        int(waiting.sum()),
        Breach(
            step,
            position,
            f"token {found}",
            f"token {expected}",
            f"The sample had finished, but its {name} changed in step {step} from token {expected} to {found}.",
            int(changed.sum()),
        ),
    )


def _stays_finished(evidence: Evidence, run: CanvasRun) -> Checked:
    trace, sample = run.trace, run.sample
    steps = np.flatnonzero(trace.canvas == run.canvas)
    finished, active = trace.finished[steps, sample], trace.active[steps, sample]
    expected = np.concatenate([[True], ~np.logical_or.accumulate(finished)[:-1]])[: len(steps)]
    if run.canvas and (run.past_end or evidence.ended_before(run)):
        expected &= active  # a runtime need not denoise what will be padding
    wrong = active != expected
    if not wrong.any():
        return Checked(len(steps))
    (t,) = first_place(wrong)
    step = int(trace.step_in_canvas[steps[t]])
    message = (
        f"The sample had finished its canvas, but was denoised again in step {step}."
        if active[t]
        else f"The sample had not finished its canvas, but was left out from step {step} on."
    )
    return Checked(
        len(steps),
        Breach(
            step,
            None,
            "active" if active[t] else "inactive",
            "inactive" if active[t] else "active",
            message,
            int(wrong.sum()),
        ),
    )


RULES = (
    Rule(
        "finished-rows-frozen",
        "Draft and noised canvas of a sample that has finished do not change while others go on.",
        "DiffusionGemmaGenerationMixin._denoising_step (finished_denoising); diffusers#14386 (converged rows changed)",
        (needs.no_sweeps, needs.inactive_rows),
        each(_frozen),
        "no sample finished before the others",
        concerns.uniform,
    ),
    Rule(
        "finished-for-good",
        "A sample is denoised until it finishes, and not again.",
        "DiffusionGemmaGenerationMixin._denoising_step (finished_denoising)",
        (needs.arrays("finished"), needs.inactive_rows),
        each(_stays_finished),
        concerns=concerns.uniform,
    ),
)
