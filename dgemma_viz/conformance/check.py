"""``check_conformance(trace)``: every rule over a trace, and the first place that breaks each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.conformance.reference_settings import checked_settings
from dgemma_viz.conformance.report import ConformanceReport
from dgemma_viz.conformance.rules import RULES
from dgemma_viz.conformance.tolerances import Tolerances
from dgemma_viz.conformance.violation import Violation
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dgemma_viz.conformance.reference_settings import Setting
    from dgemma_viz.conformance.rule import Rule


def check_conformance(
    trace: Trace, settings: Mapping[str, Setting] | None = None, *, tolerances: Tolerances | None = None
) -> ConformanceReport:
    """Replay a trace's own numbers against the rules of transformers' DiffusionGemma generation.

    Traces of diffusers' schedulers and of mask-token models are held against the rules of their own samplers instead.

    It says whether what was recorded is what the reference sampler would have done with the same probabilities and
    random draws. It cannot say whether the probabilities are right: a model with a bug of its own (a wrong router, a
    wrong mask) may obey every rule.

    A rule that lacks what it needs is listed with the reason and never counts as passed. Three rules are statistical
    (the first canvas, which candidates are drawn, what replaces re-noised tokens); each accuses a conforming run with a
    probability of at most ``tolerances.false_alarm``.

    Parameters
    ----------
    trace
        A recorded run, or one logged by another runtime (:func:`dgemma_viz.trace.json_lines.load_json_lines`).
    settings
        What the sampler was asked for, over and above ``trace.facts.settings``: any of ``max_denoising_steps``,
        ``entropy_bound``, ``t_min``, ``t_max``, ``stability_threshold``, ``confidence_threshold``; None for none.
    tolerances
        Slack for floating point; by default that of a runtime in bfloat16.

    Raises
    ------
    TraceError
        ``trace`` is not a trace.
    SettingError
        A setting that no rule uses, or that is not a number.

    Examples
    --------
    >>> report = check_conformance(dv.load_trace("run.jsonl"))
    >>> report.ok
    False
    >>> report.violations[0].where
    'canvas 0, step 3, sample 0, position 17'
    """
    if not isinstance(trace, Trace):
        raise TraceError(
            f"check_conformance() takes a Trace, not a {type(trace).__name__}; record one with dv.record(model, "
            "tokenizer), or open one with dv.load_trace(path)"
        )
    asked = {**trace.facts.settings, **checked_settings(settings or {})}
    evidence = Evidence(trace, asked, tolerances or Tolerances())
    passed: list[str] = []
    not_checked: list[tuple[str, str]] = []
    violations: list[Violation] = []
    ours = [rule for rule in RULES if rule.concerns(evidence)]
    for rule in ours:
        reason = rule.lacking(evidence)
        judged, broken = (0, []) if reason else _apply(rule, evidence)
        violations += broken
        if not judged:
            not_checked.append((rule.name, reason or rule.idle))
        elif not broken:
            passed.append(rule.name)
    order = {rule.name: index for index, rule in enumerate(RULES)}
    violations.sort(key=lambda found: (found.canvas, _or_last(found.step), found.sample, order[found.rule]))
    return ConformanceReport(trace, tuple(violations), tuple(passed), tuple(not_checked), len(RULES) - len(ours))


def _apply(rule: Rule, evidence: Evidence) -> tuple[int, list[Violation]]:
    """How much was judged, and the first breach in each canvas of each sample."""
    judged, violations = 0, []
    for run, checked in rule.check(evidence):
        judged += checked.judged
        if (breach := checked.breach) is not None:
            violations.append(Violation(rule=rule.name, canvas=run.canvas, sample=run.sample, **vars(breach)))
    return judged, violations


def _or_last(step: int | None) -> float:
    return float("inf") if step is None else step
