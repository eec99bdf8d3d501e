"""When a canvas stops: at the first step that is stable and confident, or when its steps have run out.

Samples of a batch that have finished then wait for the others unchanged.

diffusers' pipeline stops block refinement and discrete DDIM by the entropy BEFORE temperature, and a trace holds that
after it. Entropy grows with temperature, so there only one side can be judged: with a temperature below 1 that a canvas
stopped too early, above 1 that it went on too long.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted, measured
from dgemma_viz.analysis.stop_conditions import stop_temperatures
from dgemma_viz.conformance.evidence import Evidence, breach, each, first_wrong, steps_of
from dgemma_viz.rules import need
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.derive import stable_steps
from dgemma_viz.trace.model import CanvasRun


def _stop_rule(evidence: Evidence, run: CanvasRun) -> Checked:
    stability, confidence = evidence.number("stability_threshold"), evidence.number("confidence_threshold")
    finished = run.array("finished")[: _last_known(evidence, run)]
    streaks = stable_steps(run.array("draft")[:, None])[:, 0]
    means = run.array("entropy").mean(axis=1, dtype=float)
    temperatures = stop_temperatures(run)
    slack = 0.0 if confidence is None else evidence.tolerances.relative * confidence + evidence.tolerances.entropy
    for t, stopped in enumerate(finished):
        if stability is None or confidence is None:
            may = must = False
        else:
            stable, cooled, heated = streaks[t] >= stability, not temperatures[t] >= 1, not temperatures[t] <= 1
            may = bool(stable and (means[t] < confidence + slack or heated))
            must = bool(stable and means[t] < confidence - slack and not cooled)
        if bool(stopped) != (must if not stopped else may):
            after = "" if temperatures[t] == 1 else f" after temperature {temperatures[t]:.3g}"
            stable_for = f"a draft unchanged for {counted(int(streaks[t]), 'step')}"
            asked = (
                "no adaptive stop was asked for"
                if stability is None or confidence is None
                else f"the rule asks for {stability:g} and less than {confidence:g}"
            )
            found, expected = ("stopped", "go on") if stopped else ("went on", "stop")
            what = f"The canvas {found} after {stable_for} and a mean entropy of {means[t]:.4g} nats{after}; {asked}."
            return Checked(len(finished), breach(int(steps_of(run)[t]), None, found, expected, what))
        if stopped:
            break
    return Checked(len(finished))


def _last_known(evidence: Evidence, run: CanvasRun) -> int:
    """Steps of which it is known whether the rule ended them.

    Where only the log's length tells it, not that of the last step that was allowed. That step may also emit its argmax
    without a decision, as in mlx-vlm, and then nobody asked the rule.
    """
    limit = evidence.number("max_denoising_steps")
    goes_on = run.n_steps and not run.array("finished")[-1]
    if evidence.has("finished"):
        unasked = goes_on and not run.decided[-1] and limit is not None and run.n_steps >= limit
    else:
        unasked = goes_on or limit is None or run.n_steps >= limit
    return run.n_steps - 1 if unasked else run.n_steps


def _step_limit(evidence: Evidence, run: CanvasRun) -> Checked:
    limit = evidence.number("max_denoising_steps")
    if limit is None or not run.n_steps:
        return Checked(0)
    taken = int(steps_of(run)[-1]) + 1
    unfinished = run.emitted is not None and evidence.has("finished") and not run.array("finished")[-1]
    if taken <= limit and not (unfinished and taken < limit):
        return Checked(1)
    step = int(limit) if taken > limit else taken - 1
    why = "more than allowed" if taken > limit else "although it had not finished and more were allowed"
    what = f"The canvas took {counted(taken, 'step')} of {limit:g}, {why}."
    return Checked(1, breach(step, None, counted(taken, "step"), measured(limit, "steps"), what))


def _frozen(evidence: Evidence, run: CanvasRun) -> Checked:
    trace, sample = run.trace, run.sample
    rows = np.flatnonzero(trace.canvas == run.canvas)
    before, after = rows[:-1], rows[1:]
    waiting = ~trace.active[after, sample]
    draft = waiting[:, None] & (trace.draft[after, sample] != trace.draft[before, sample])
    changed = draft.copy()
    if evidence.has("noised"):
        was_waiting = ~trace.active[before, sample]
        changed |= was_waiting[:, None] & (trace.noised[after, sample] != trace.noised[before, sample])
    steps = trace.step_in_canvas[after]

    def tell(t: int, position: int) -> tuple[str, str, str]:
        name, ids = ("draft", trace.draft) if draft[t, position] else ("noised canvas", trace.noised)
        found, expected = (int(ids[row, sample, position]) for row in (after[t], before[t]))
        what = f"The sample had finished, but its {name} changed in step {steps[t]} from token {expected} to {found}."
        return f"token {found}", f"token {expected}", what

    return first_wrong(waiting, changed, steps, tell)


def _stays_finished(evidence: Evidence, run: CanvasRun) -> Checked:
    trace, sample = run.trace, run.sample
    rows = np.flatnonzero(trace.canvas == run.canvas)
    finished, active, steps = trace.finished[rows, sample], trace.active[rows, sample], trace.step_in_canvas[rows]
    expected = np.concatenate([[True], ~np.logical_or.accumulate(finished)[:-1]])[: len(rows)]
    if run.canvas and (run.past_end or evidence.ended_before(run)):
        expected &= active  # a runtime need not denoise what will be padding

    def tell(t: int) -> tuple[str, str, str]:
        if active[t]:
            what = f"The sample had finished its canvas, but was denoised again in step {steps[t]}."
            return "active", "inactive", what
        what = f"The sample had not finished its canvas, but was left out from step {steps[t]} on."
        return "inactive", "active", what

    return first_wrong(len(rows), active != expected, steps, tell)


RULES = (
    Rule(
        "stop-rule",
        "A canvas stops at the first step whose draft equals those of the stability_threshold steps before and whose "
        "mean entropy is below confidence_threshold: not earlier, not later; without both thresholds, never.",
        "StableAndConfidentStoppingCriteria.__call__; vllm#45965 (one step early), diffusers#14386 (entropy of raw "
        "logits), mlx-vlm#1347 (never)",
        (
            need.UNIFORM_NOISE,
            need.NO_SWEEPS,
            need.left_alone("ChangeParameters"),
            need.arrays("entropy"),
            need.settings("stability_threshold", "confidence_threshold"),
        ),
        each(_stop_rule),
    ),
    Rule(
        "step-limit",
        "A canvas that does not stop by its rule takes max_denoising_steps steps.",
        "DiffusionGemmaGenerationMixin.generate (1.c)",
        (need.UNIFORM_NOISE, need.NO_SWEEPS, need.settings("max_denoising_steps")),
        each(_step_limit),
    ),
    Rule(
        "finished-rows-frozen",
        "Draft and noised canvas of a sample that has finished do not change while others go on.",
        "DiffusionGemmaGenerationMixin._denoising_step (finished_denoising); diffusers#14386 (converged rows changed)",
        (need.UNIFORM_NOISE, need.NO_SWEEPS, need.FINISHED_ROWS),
        each(_frozen),
        "no sample finished before the others",
    ),
    Rule(
        "finished-for-good",
        "A sample is denoised until it finishes, and not again.",
        "DiffusionGemmaGenerationMixin._denoising_step (finished_denoising)",
        (need.UNIFORM_NOISE, need.arrays("finished"), need.FINISHED_ROWS),
        each(_stays_finished),
    ),
)
