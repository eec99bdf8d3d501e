"""Rules about what ran: broken numbers, other settings than expected, and the sampler's own rules broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis import released
from dgemma_viz.analysis.sampler_kind import predicted
from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis.case import RunCase, per_run
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, places, quote
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import NO_WARNING, NoticeCode

_ERROR_OF_NUMBERS = re.compile(r"\b(nan|inf|infinity)\b", re.IGNORECASE)
"""What ``torch.multinomial`` says of them, which ends a run in transformers before the step is recorded."""
SHIFT = 0.05
"""Difference from the released temperature that is worth a warning: an eighth of the released range of 0.4."""
NOTICEABLE_SHIFT = 0.001
"""Difference that is no rounding of float32."""
SAME_BOUND = 1e-5
"""Relative difference below which two entropy bounds are the same, one of them stored in float32."""
_STALE = (NoticeCode.STALE_SAMPLER, NoticeCode.MIXED_SAMPLERS)
_TOKEN = re.compile(r"\btoken (\d{1,9})\b")
REPORTED_ELSEWHERE = {"numbers-finite", "bound-as-asked"}
"""Broken rules that the diagnosis has rules of its own for, with more to say."""


def _not_finite(case: RunCase) -> Finding | None:
    trace = case.trace
    recorded = [array for array in (trace.entropy, trace.confidence) if np.isfinite(array).any()]
    broken = np.zeros(trace.noised.shape, dtype=bool)
    for array in recorded:
        broken |= ~np.isfinite(array)
    broken &= trace.active[:, :, None] & predicted(trace)
    if broken.any():
        step, sample = (int(index) for index in np.argwhere(broken.any(axis=2))[0])
        positions = np.flatnonzero(broken[step, sample])
        return Finding(
            Severity.ERROR,
            f"Entropy or confidence of {counted(int(broken.sum()), 'position')} over all steps is not finite, "
            f"first in sample {sample} at {places(positions.tolist())}.",
            canvas=int(trace.canvas[step]),
            step=int(trace.step_in_canvas[step]),
            positions=tuple(positions.tolist()),
            evidence={"values": int(broken.sum()), "steps": int(broken.any(axis=(1, 2)).sum())},
        )
    if trace.facts.status == "failed" and _ERROR_OF_NUMBERS.search(trace.facts.error):
        return Finding(
            Severity.ERROR,
            f"The step after the last recorded one failed on its numbers: {trace.facts.error!r}",
            canvas=trace.n_canvases - 1 if trace.n_steps else None,
            step=int(trace.step_in_canvas[-1]) if trace.n_steps else None,
            evidence={"values": 0},
        )
    return None


def _schedule(case: RunCase) -> Finding | None:
    trace = case.trace
    expected = np.array([released.temperature(step) for step in trace.step_in_canvas])
    shift = np.where(np.isfinite(trace.temperature), trace.temperature - expected, 0)
    worst = int(np.abs(shift).argmax())
    if abs(shift[worst]) < NOTICEABLE_SHIFT:
        return None
    first = int(np.flatnonzero(np.abs(shift) >= min(SHIFT, abs(shift[worst])))[0])
    defaults = {"max_denoising_steps": released.MAX_DENOISING_STEPS, "t_max": released.T_MAX, "t_min": released.T_MIN}
    asked = {name: case.number(name) for name in defaults}
    changed = {name: value for name, value in asked.items() if value is not None and value != defaults[name]}
    because = ", ".join(f"{name} is {value} (released: {defaults[name]})" for name, value in changed.items())
    return Finding(
        Severity.WARNING if abs(shift[worst]) >= SHIFT else Severity.NOTE,
        f"Temperatures differ from the released schedule by up to {abs(shift[worst]):.3g}: step "
        f"{trace.step_in_canvas[worst]} ran at {trace.temperature[worst]:.3g} in place of {expected[worst]:.3g}"
        f"{f', since {because}' if because else ''}.",
        canvas=int(trace.canvas[first]),
        step=int(trace.step_in_canvas[first]),
        evidence={"largest_shift": float(shift[worst]), "temperature": float(trace.temperature[worst])},
    )


def _stale(case: RunCase) -> Finding | None:
    trace, asked = case.trace, case.number("entropy_bound")
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
    return Finding(
        Severity.ERROR,
        what,
        canvas=int(trace.canvas[first]) if trace.n_steps else None,
        step=int(trace.step_in_canvas[first]) if trace.n_steps else None,
        evidence={"bound_used": float(trace.entropy_bound[first])} if len(other) else {},
    )


def _warnings(case: RunCase) -> Finding | None:
    texts = [notice.text for notice in case.trace.facts.notices if notice.code not in {*_STALE, *NO_WARNING}]
    if not texts:
        return None
    return Finding(
        Severity.WARNING, " ".join(f"{text.rstrip('.')}." for text in texts), evidence={"warnings": len(texts)}
    )


def _rules_broken(case: RunCase) -> Iterator[Checked]:
    """At most one finding for each rule of :data:`dgemma_viz.conformance.RULES`, at the first place that breaks it."""
    yield Checked(1)
    broken: dict[str, list[Finding]] = {}
    for violation in check_conformance(case.trace).violations:
        if violation.rule not in REPORTED_ELSEWHERE:
            broken.setdefault(violation.rule, []).append(violation)
    for rule, (first, *more) in broken.items():
        numbers = {"places": sum(one.places for one in (first, *more)), "canvases": 1 + len(more)}
        yield Checked(1, replace(first, what=f"{rule}: {_with_texts(case.trace, first.what)}", evidence=numbers))


def _with_texts(trace: Trace, message: str) -> str:
    """A message of the conformance check, which knows tokens by their ids, with the texts of those that are known."""

    def named(found: re.Match[str]) -> str:
        text = trace.token_texts.get(int(found[1]))
        return found[0] if text is None else f"{found[0]} ({quote([text])})"

    return _TOKEN.sub(named, message)


RULES = (
    Rule(
        name="numbers-not-finite",
        title="NaN or infinite logits",
        says="Logits held NaN or infinity: no distribution, so whatever was drawn there means nothing, and it spreads "
        "through self-conditioning.",
        remedy="Look for an overflow in half precision, a fully masked attention row, or a logits processor that "
        "divides by zero; run the step in float32.",
        source="vllm#47424 (NaN hidden state, canvas of pads); torch.multinomial in transformers",
        needs=(),
        check=per_run(_not_finite),
    ),
    Rule(
        name="temperature-schedule-shifted",
        title="Temperature schedule shifted",
        says="Temperature falls from t_max to t_min over the limit of steps, so another limit gives every step "
        "another temperature: more steps can be worse, fewer can be better, for this reason alone.",
        remedy=f"To compare numbers of steps, hold the temperatures: keep max_denoising_steps at "
        f"{released.MAX_DENOISING_STEPS} and let the stop rule end the canvas, or pass t_min and t_max that give the "
        "same temperatures in the steps that run.",
        source="LinearTemperatureScheduleLogitsProcessor; Jmeg8r/diffusiongemma-benchmark (8/16/24/48 steps)",
        needs=(need.ENTROPY_BOUND, need.left_alone("ChangeParameters"), need.values("temperature")),
        check=per_run(_schedule),
    ),
    Rule(
        name="stale-compiled-sampler",
        title="Stale compiled sampler",
        says="With a static cache generate() keeps the compiled sampler of the first call on the model: later calls "
        "run with the first one's entropy bound, whatever they ask for.",
        remedy="Delete the model's '_compiled_accept_canvas' and '_compiled_renoise_canvas' before generate(), or pass "
        "disable_compile=True.",
        source="transformers 5.23 _compile_functions",
        needs=(need.left_alone("ChangeParameters"),),
        check=per_run(_stale),
    ),
    Rule(
        name="recorder-warning",
        title="The recorder warned",
        says="The recorder saw something in the running loop that makes the trace, or the run, less than it seems.",
        remedy="Read the warning; it names its remedy.",
        source="dgemma_viz recorders",
        needs=(),
        check=per_run(_warnings),
    ),
    Rule(
        name="reference-rule-broken",
        title="Reference rule broken",
        says="What was recorded is not what the sampler, by its own rules, would have done with the same "
        "probabilities: a bug of this runtime, or a sampler that is meant to differ.",
        remedy="See dv.check_conformance(trace) for all that was checked. With a sampler of your own, read this as "
        "where it departs from the reference, or let its trace say what it is: sampler_kind='other' in the facts.",
        source="transformers 5.23 generation_diffusion_gemma.py; published bugs of vLLM, diffusers, MLX",
        needs=(),
        check=_rules_broken,
    ),
)
