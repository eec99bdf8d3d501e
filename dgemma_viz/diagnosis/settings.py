"""Rules about settings: a shifted temperature schedule, a sampler not asked for, and what the recorder noticed."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis import released
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.diagnosis.finding import Severity
from dgemma_viz.diagnosis.needs import SCHEDULE, TEMPERATURES, UNCHANGED
from dgemma_viz.diagnosis.rule import RunRule, Seen
from dgemma_viz.trace.notice import NoticeCode

SHIFT = 0.05
"""Difference from the released temperature that is worth a warning: an eighth of the released range of 0.4."""
NOTICEABLE_SHIFT = 0.001
"""Difference that is no rounding of float32."""
SAME_BOUND = 1e-5
"""Relative difference below which two entropy bounds are the same, one of them stored in float32."""
_STALE = (NoticeCode.STALE_SAMPLER, NoticeCode.MIXED_SAMPLERS)


def _schedule(case: RunCase) -> Seen | None:
    trace = case.trace
    expected = np.array([released.temperature(step) for step in trace.step_in_canvas])
    shift = np.where(np.isfinite(trace.temperature), trace.temperature - expected, 0)
    worst = int(np.abs(shift).argmax())
    if abs(shift[worst]) < NOTICEABLE_SHIFT:
        return None
    first = int(np.flatnonzero(np.abs(shift) >= min(SHIFT, abs(shift[worst])))[0])
    defaults = {"max_denoising_steps": released.MAX_DENOISING_STEPS, "t_max": released.T_MAX, "t_min": released.T_MIN}
    asked = {name: case.setting(name) for name in defaults}
    changed = {name: value for name, value in asked.items() if value is not None and value != defaults[name]}
    because = ", ".join(f"{name} is {value} (released: {defaults[name]})" for name, value in changed.items())
    return Seen(
        Severity.WARNING if abs(shift[worst]) >= SHIFT else Severity.NOTE,
        f"Temperatures differ from the released schedule by up to {abs(shift[worst]):.3g}: step "
        f"{trace.step_in_canvas[worst]} ran at {trace.temperature[worst]:.3g} in place of {expected[worst]:.3g}"
        f"{f', since {because}' if because else ''}.",
        canvas=int(trace.canvas[first]),
        step=int(trace.step_in_canvas[first]),
        evidence={"largest_shift": float(shift[worst]), "temperature": float(trace.temperature[worst])},
    )


def _stale(case: RunCase) -> Seen | None:
    trace, asked = case.trace, case.setting("entropy_bound")
    other = (
        np.flatnonzero(np.abs(trace.entropy_bound - asked) > SAME_BOUND * abs(asked))
        if asked is not None
        else np.array([], dtype=int)
    )
    warned = next((notice.text for notice in trace.facts.notices if notice.code in _STALE), "")
    if not len(other) and not warned:
        return None
    first = int(other[0]) if len(other) else 0
    what = (
        f"An entropy bound of {asked} nats was asked for, but the steps ran with {trace.entropy_bound[first]:.6g}."
        if len(other)
        else warned
    )
    return Seen(
        Severity.ERROR,
        what,
        canvas=int(trace.canvas[first]) if trace.n_steps else None,
        step=int(trace.step_in_canvas[first]) if trace.n_steps else None,
        evidence={"bound_used": float(trace.entropy_bound[first])} if len(other) else {},
    )


def _warnings(case: RunCase) -> Seen | None:
    texts = [notice.text for notice in case.trace.facts.notices if notice.code not in _STALE]
    if not texts:
        return None
    return Seen(Severity.WARNING, " ".join(f"{text.rstrip('.')}." for text in texts), evidence={"warnings": len(texts)})


RULES = (
    RunRule(
        name="temperature-schedule-shifted",
        title="Temperature schedule shifted",
        means="Temperature falls from t_max to t_min over the limit of steps, so another limit gives every step "
        "another temperature: more steps can be worse, fewer can be better, for this reason alone.",
        remedy=f"To compare numbers of steps, hold the temperatures: keep max_denoising_steps at "
        f"{released.MAX_DENOISING_STEPS} and let the stop rule end the canvas, or pass t_min and t_max that give the "
        "same temperatures in the steps that run.",
        source="LinearTemperatureScheduleLogitsProcessor; Jmeg8r/diffusiongemma-benchmark (8/16/24/48 steps)",
        needs=(SCHEDULE, UNCHANGED, TEMPERATURES),
        check=_schedule,
    ),
    RunRule(
        name="stale-compiled-sampler",
        title="Stale compiled sampler",
        means="With a static cache generate() keeps the compiled sampler of the first call on the model: later calls "
        "run with the first one's entropy bound, whatever they ask for.",
        remedy="Delete the model's '_compiled_accept_canvas' and '_compiled_renoise_canvas' before generate(), or pass "
        "disable_compile=True.",
        source="transformers 5.23 _compile_functions",
        needs=(UNCHANGED,),
        check=_stale,
    ),
    RunRule(
        name="recorder-warning",
        title="The recorder warned",
        means="The recorder saw something in the running loop that makes the trace, or the run, less than it seems.",
        remedy="Read the warning; it names its remedy.",
        source="dgemma_viz recorders",
        check=_warnings,
    ),
)
