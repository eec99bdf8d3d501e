"""``check_conformance(traces)``: every rule over one trace or several, and the first place that breaks each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dgemma_viz.conformance import (
    acceptance,
    emission,
    next_canvas,
    probabilities,
    rows,
    sampling,
    stopping,
    unmasking,
)
from dgemma_viz.conformance.evidence import Evidence, Tolerances
from dgemma_viz.conformance.reference_settings import Setting, checked_settings
from dgemma_viz.conformance.report import ConformanceReport
from dgemma_viz.errors import TraceError
from dgemma_viz.rules.engine import run_rules
from dgemma_viz.rules.rule import Rule
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import Trace

RULES: tuple[Rule[Evidence], ...] = (
    *rows.RULES,
    *probabilities.RULES,
    *sampling.RULES,
    *acceptance.RULES,
    *unmasking.RULES,
    *next_canvas.RULES,
    *stopping.RULES,
    *emission.RULES,
)
"""All rules, in the order in which a step goes through them: an earlier one is the likelier cause of a later one."""


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
    evidence = [Evidence(trace, {**trace.facts.settings, **given}, tolerances=slack) for trace in named.values()]
    repeated = repeated_draws(list(named.values()))
    found, outcomes = run_rules(RULES, evidence, repeated=repeated, false_alarm=slack.false_alarm)
    if len(named) > 1:
        names = list(named)
        found = [replace(one, trace_name=names[one.trace]) for one in found]
    order = {rule.name: index for index, rule in enumerate(RULES)}
    found.sort(
        key=lambda one: (
            one.trace,
            one.canvas or 0,
            np.inf if one.step is None else one.step,
            one.sample,
            order[one.rule],
        )
    )
    return ConformanceReport(
        tuple(named.values()), tuple(found), outcomes, RULES, tuple(named), tuple(repeated.items())
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


def repeated_draws(traces: Sequence[Trace]) -> dict[int, int]:
    """Index of each trace that repeats an earlier one's random draws, and the earlier one's index.

    Two runs count as drawn alike if they began in the same state of the generator; where one does not say, if they
    began with the same random canvas; where none was logged, if they name the same seed, or drew all the same. A file
    given twice, and two prompts sampled from one random state, look like two runs, but chance did the same in both.
    Pooled as if they were independent, a harmless coincidence would grow into an accusation.
    """
    repeated: dict[int, int] = {}
    for index, trace in enumerate(traces):
        for earlier in range(index):
            if earlier not in repeated and _drawn_alike(traces[earlier], trace):
                repeated[index] = earlier
                break
    return repeated


def _drawn_alike(first: Trace, second: Trace) -> bool:
    if first is second:
        return True
    if first.generator_state is not None and second.generator_state is not None:
        return np.array_equal(first.generator_state, second.generator_state)
    if _begins_with_noise(first) and _begins_with_noise(second):
        return np.array_equal(first.noised[0], second.noised[0])
    if first.facts.seed is not None and second.facts.seed is not None:
        return first.facts.seed == second.facts.seed
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("candidate", "draft"))


def _begins_with_noise(trace: Trace) -> bool:
    return trace.n_steps > 0 and "noised" not in trace.facts.absent and trace.facts.mask_token_id is None
