"""``check_conformance(traces)``: every rule over one trace or several, and the first place that breaks each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.conformance.judging import judged
from dgemma_viz.conformance.reference_settings import Setting, checked_settings
from dgemma_viz.conformance.repeated import repeated_draws
from dgemma_viz.conformance.report import ConformanceReport
from dgemma_viz.conformance.rules import RULES
from dgemma_viz.conformance.statistical import Statistical
from dgemma_viz.conformance.tolerances import Tolerances
from dgemma_viz.conformance.violation import Violation
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import Trace

_STATISTICAL = sum(isinstance(rule.check, Statistical) for rule in RULES)
_ORDER = {rule.name: index for index, rule in enumerate(RULES)}


def check_conformance(
    traces: TraceLike | Iterable[TraceLike] | Mapping[str, TraceLike],
    settings: Mapping[str, Setting] | None = None,
    *,
    tolerances: Tolerances | None = None,
) -> ConformanceReport:
    """Replay traces' own numbers against the rules of transformers' DiffusionGemma generation.

    Traces of diffusers' schedulers and of mask-token models are held against the rules of their own samplers instead.

    It says whether what was recorded is what the reference sampler would have done with the same probabilities and
    random draws. It cannot say whether the probabilities are right: a model with a bug of its own (a wrong router, a
    wrong mask) may obey every rule.

    A rule that lacks what it needs is listed with the reason and never counts as passed. Three rules are statistical
    (the first canvas, which candidates are drawn, what replaces re-noised tokens). One run often holds too few unsure
    draws for them; they then count as "could not be told", with how many more would tell, and are told from several
    runs together. They accuse conforming runs with a probability of at most ``tolerances.false_alarm`` a check, all
    rules and all traces taken together.

    Parameters
    ----------
    traces
        A recorded run, or one logged by another runtime (:func:`dgemma_viz.trace.json_lines.load_json_lines`). Or
        several, as a mapping to name them: every rule is applied to each, and the draws of statistical rules are pooled
        in the given order. Take runs of separate random draws (other seeds), and all that you have: picked by what
        happened in them, they prove nothing. Those that repeat another one's draws are noticed and not counted twice.
    settings
        What the sampler was asked for, over and above ``facts.settings`` of each trace: any of ``max_denoising_steps``,
        ``entropy_bound``, ``t_min``, ``t_max``, ``stability_threshold``, ``confidence_threshold``; of other samplers
        also ``threshold``, ``editing_threshold``, ``quota``, ``block_length``. None for none.
    tolerances
        Slack for floating point; by default that of a runtime in bfloat16.

    Raises
    ------
    TraceError
        ``traces`` is not a trace, or not at least one.
    SettingError
        A setting that no rule uses, or that is not a number.

    Examples
    --------
    >>> report = check_conformance(dv.load_trace("run.jsonl"))
    >>> report.ok
    False
    >>> report.violations[0].where
    'canvas 0, step 3, sample 0, position 17'
    >>> check_conformance({path.name: dv.load_trace(path) for path in sorted(folder.glob("*.jsonl"))})
    """
    named = _named(traces)
    given, slack = checked_settings(settings or {}), tolerances or Tolerances()
    evidence = [Evidence(trace, {**trace.facts.settings, **given}, slack) for trace in named.values()]
    names, repeated = list(named), repeated_draws(list(named.values()))
    outcomes, violations = [], list[Violation]()
    for rule in RULES:
        outcome, broken = judged(rule, evidence, repeated, slack.false_alarm / _STATISTICAL)
        outcomes.append(outcome)
        for trace, run, breach in broken:
            name = names[trace] if len(named) > 1 else ""
            where: dict[str, Any] = {"canvas": run.canvas, "sample": run.sample, "trace": trace, "trace_name": name}
            violations.append(Violation(rule=rule.name, **where, **vars(breach)))
    violations.sort(key=lambda one: (one.trace, one.canvas, _or_last(one.step), one.sample, _ORDER[one.rule]))
    return ConformanceReport(
        tuple(named.values()), tuple(names), tuple(violations), tuple(outcomes), tuple(repeated.items())
    )


def _named(traces: TraceLike | Iterable[TraceLike] | Mapping[str, TraceLike]) -> dict[str, Trace]:
    """The traces, with "trace 0" and so on for names where none were given."""
    if isinstance(traces, Mapping):
        named = {str(name): trace for name, trace in traces.items()}
    elif isinstance(traces, Iterable) and not isinstance(traces, str | bytes):
        named = {f"trace {index}": trace for index, trace in enumerate(traces)}
    else:
        named = {"trace 0": traces}
    if not named:
        raise TraceError("check_conformance() takes a trace, or several of them, not none; give at least one")
    return {name: as_trace(trace, "check_conformance()") for name, trace in named.items()}


def _or_last(step: int | None) -> float:
    return float("inf") if step is None else step
