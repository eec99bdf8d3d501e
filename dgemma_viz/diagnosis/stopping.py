"""Rules about when denoising stopped: too early, only because the steps ran out, or because the run was cut off."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis import released
from dgemma_viz.diagnosis.case import CanvasCase, RunCase, per_canvas, per_run
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.rule import Rule

CONFIRMED = released.STABILITY_THRESHOLD
"""Steps for which a draft must have been stable: until a second pass has read it back, nothing has confirmed it."""
UNSETTLED = 10 * released.CONFIDENCE_THRESHOLD
"""Mean entropy in nats at which no canvas should be left: ten times the released threshold."""
ONE_ERROR = 1.0
"""Tokens of the answer that the model itself expects to be wrong. The largest probability misses at most ``H / (2 ln
2)`` (Hellman and Raviv 1970), so under the released threshold (mean entropy below 0.005 nats) fewer than 0.93 tokens of
a canvas of 256 are expected wrong: the released stop rule never leaves one."""


def _too_early(case: CanvasCase) -> Finding | None:
    mean, expected = case.last_free_entropy, float(case.expected_errors[-1])
    stable = int(case.run.array("stable_steps")[-1])
    if not case.stopped_by_rule or not (stable < CONFIRMED or mean >= UNSETTLED or expected >= ONE_ERROR):
        return None
    return Finding(
        Severity.WARNING,
        f"The stop rule ended the canvas after {counted(case.run.n_steps, 'step')} at a mean entropy of {mean:.3g} nats"
        f"{' of the positions that were not clamped' if case.clamped[-1].any() else ''} "
        f"(released threshold: {released.CONFIDENCE_THRESHOLD}) and a draft stable for "
        f"{counted(stable, 'step')}; by the model's own confidence {expected:.2g} of "
        f"{counted(int(case.answer.sum()), 'token')} are wrong.",
        step=case.last_step,
        positions=case.unsure_positions,
        evidence={"mean_entropy": mean, "expected_errors": expected, "stable_steps": stable},
    )


def _budget_exhausted(case: CanvasCase) -> Finding | None:
    if case.stopped_by_rule or case.run.n_steps < (case.number("max_denoising_steps") or 0):
        return None
    mean, changed = float(case.entropy[-1].mean(dtype=float)), int(case.flips[-1].sum())
    stable, threshold = int(case.run.array("stable_steps")[-1]), case.number("confidence_threshold")
    return Finding(
        Severity.WARNING,
        f"The stop rule was not met in {counted(case.run.n_steps, 'step')}: the draft had been stable for "
        f"{counted(stable, 'step')} (needed: {case.number('stability_threshold')}), mean entropy was {mean:.3g} nats "
        f"(needed: below {threshold}), {counted(changed, 'draft')} changed in the last step.",
        step=case.last_step,
        positions=tuple(np.flatnonzero(case.flips[-1]).tolist()) or case.unsure_positions,
        evidence={"steps": case.run.n_steps, "mean_entropy": mean, "stable_steps": stable, "changed_last": changed},
    )


def _cut_off(case: RunCase) -> Finding | None:
    trace = case.trace
    if trace.facts.status == "complete":
        return None
    failed = trace.facts.status == "failed"
    cause = f": {trace.facts.error!r}" if trace.facts.error else ""
    return Finding(
        Severity.ERROR if failed else Severity.WARNING,
        f"The run {'failed' if failed else 'was interrupted'} after {counted(trace.n_steps, 'step')}, "
        f"{len(trace.emitted)} of {trace.n_canvases} canvases emitted{cause}.",
        canvas=trace.n_canvases - 1 if trace.n_steps else None,
        step=int(trace.step_in_canvas[-1]) if trace.n_steps else None,
        evidence={"steps": trace.n_steps, "emitted_canvases": len(trace.emitted)},
    )


RULES = (
    Rule(
        name="stopped-too-early",
        title="Stopped too early",
        says="The stop rule was met although the model was still in doubt about what it had drafted.",
        remedy=f"Lower the confidence threshold towards the released {released.CONFIDENCE_THRESHOLD} nats, or ask for "
        "a draft that is stable for more steps.",
        source="StableAndConfidentStoppingCriteria; vllm#45965; Hellman and Raviv 1970 for the bound",
        needs=(need.UNIFORM_NOISE, need.NO_SWEEPS, need.values("entropy"), need.values("confidence")),
        check=per_canvas(_too_early),
    ),
    Rule(
        name="step-budget-exhausted",
        title="Step budget exhausted",
        says="The canvas was emitted because its steps had run out, not because the stop rule found it settled.",
        remedy="If drafts were still changing, allow more steps (which also stretches the temperature schedule). If "
        "they were not, the confidence threshold or the temperatures keep the stop rule from being met: time is "
        "wasted.",
        source="StableAndConfidentStoppingCriteria; mlx-vlm#1347",
        needs=(need.UNIFORM_NOISE, need.NO_SWEEPS, need.STOP_RULE, need.STEP_LIMIT, need.values("entropy")),
        check=per_canvas(_budget_exhausted),
    ),
    Rule(
        name="run-cut-off",
        title="Run cut off",
        says="generate() ended with an exception or an interrupt; the last canvas was not emitted.",
        remedy="Read the error; look at the last recorded step.",
        source="status recorded by dgemma_viz",
        needs=(),
        check=per_run(_cut_off),
    ),
)
