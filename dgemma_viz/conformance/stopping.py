"""When a canvas stops: at the first step that is stable and confident, or when its steps have run out.

diffusers' pipeline stops block refinement and discrete DDIM by the entropy BEFORE temperature, and a trace holds that
after it. Entropy grows with temperature, so there only one side can be judged: with a temperature below 1 that a canvas
stopped too early, above 1 that it went on too long.
"""

from __future__ import annotations

from dgemma_viz.analysis.stop_conditions import stop_temperatures
from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.derive import stable_steps
from dgemma_viz.trace.model import CanvasRun


def _stop_rule(evidence: Evidence, run: CanvasRun) -> Checked:
    stability, confidence = evidence.number("stability_threshold"), evidence.number("confidence_threshold")
    finished = run.array("finished")
    if not evidence.has("finished"):
        finished = finished[: _last_known(evidence, run)]
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
            state = f"a draft unchanged for {streaks[t]} step(s) and a mean entropy of {means[t]:.4g} nats{after}"
            rule = (
                "no adaptive stop was asked for"
                if stability is None or confidence is None
                else f"the rule asks for {stability:g} and less than {confidence:g}"
            )
            return Checked(
                len(finished),
                Breach(
                    int(steps_of(run)[t]),
                    None,
                    "stopped" if stopped else "went on",
                    "go on" if stopped else "stop",
                    f"The canvas {'stopped' if stopped else 'went on'} after {state}; {rule}.",
                ),
            )
        if stopped:
            break
    return Checked(len(finished))


def _last_known(evidence: Evidence, run: CanvasRun) -> int:
    """Steps whose end is known where only the log's length tells it: not that of the last step that was allowed."""
    limit = evidence.number("max_denoising_steps")
    goes_on = run.n_steps and not run.array("finished")[-1]
    return run.n_steps - 1 if goes_on or limit is None or run.n_steps >= limit else run.n_steps


def _step_limit(evidence: Evidence, run: CanvasRun) -> Checked:
    limit = evidence.number("max_denoising_steps")
    if limit is None or not run.n_steps:
        return Checked(0)
    steps = steps_of(run)
    over = int(steps[-1]) + 1 > limit
    unfinished = run.emitted is not None and evidence.has("finished") and not run.array("finished")[-1]
    short = unfinished and steps[-1] + 1 < limit
    if not (over or short):
        return Checked(1)
    taken = int(steps[-1]) + 1
    step = int(limit) if over else int(steps[-1])
    why = "more than allowed" if over else "although it had not finished and more were allowed"
    return Checked(
        1,
        Breach(step, None, f"{taken} steps", f"{limit:g} steps", f"The canvas took {taken} steps of {limit:g}, {why}."),
    )


RULES = (
    Rule(
        "stop-rule",
        "A canvas stops at the first step whose draft equals those of the stability_threshold steps before and whose "
        "mean entropy is below confidence_threshold: not earlier, not later; without both thresholds, never.",
        "StableAndConfidentStoppingCriteria.__call__; vllm#45965 (one step early), diffusers#14386 (entropy of raw "
        "logits), mlx-vlm#1347 (never)",
        (
            needs.no_sweeps,
            needs.left_alone("ChangeParameters"),
            needs.arrays("entropy"),
            needs.settings("stability_threshold", "confidence_threshold"),
        ),
        each(_stop_rule),
        concerns=concerns.uniform,
    ),
    Rule(
        "step-limit",
        "A canvas that does not stop by its rule takes max_denoising_steps steps.",
        "DiffusionGemmaGenerationMixin.generate (1.c)",
        (needs.no_sweeps, needs.settings("max_denoising_steps")),
        each(_step_limit),
        concerns=concerns.uniform,
    ),
)
