"""What a conformance check gives: violations, and what became of each rule, as text, HTML and tables."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind, inferred_from, sampler_kind
from dgemma_viz.conformance.outcome import Outcome, Tally, Verdict
from dgemma_viz.conformance.rules import RULES
from dgemma_viz.conformance.violation import Violation
from dgemma_viz.plain_text import NO_FORMULAS, isolated, printable
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "rule",
    "trace",
    "trace_name",
    "canvas",
    "step",
    "sample",
    "position",
    "found",
    "expected",
    "message",
    "places",
)
OUTCOME_COLUMNS = {
    "rule": "str",
    "outcome": "str",
    "traces": "int64",
    "judged": "int64",
    "draws": "Int64",
    "hits": "Int64",
    "expected": "float64",
    "more_needed": "float64",
    "reason": "str",
}
_OF_SEVERAL = ("trace", "trace_name")
_HELD_AGAINST = {
    SamplerKind.ENTROPY_BOUND: "the reference sampler",
    SamplerKind.OTHER: "the rules that hold for any sampler",
}
_RULES = {rule.name: rule for rule in RULES}
_WIDTH = 100
_MOST = 5
"""Names in a note."""


@dataclass(frozen=True, eq=False)
class ConformanceReport:
    """Outcome of :func:`dgemma_viz.check_conformance`; in a notebook it shows itself as a table.

    Attributes
    ----------
    traces
        The traces.
    names
        What to call each of them.
    violations
        The first breach of each rule in each canvas of each sample (of a statistical rule: in each trace), trace by
        trace, earliest step first: what comes first is most likely the cause of the rest.
    outcomes
        What became of each rule, in the order of :data:`~dgemma_viz.conformance.RULES`.
    repeated
        Pairs of indices: traces that repeat the random draws of earlier ones, whose draws count once.
    """

    traces: tuple[Trace, ...]
    names: tuple[str, ...]
    violations: tuple[Violation, ...]
    outcomes: tuple[Outcome, ...]
    repeated: tuple[tuple[int, int], ...] = ()

    @property
    def ok(self) -> bool:
        """Nothing is broken, and something was checked. Not that everything was: see :attr:`undecided`."""
        return bool(self.passed) and not self.violations

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of rules that were checked and hold."""
        return tuple(one.rule for one in self._with(Verdict.PASSED))

    @property
    def undecided(self) -> tuple[tuple[str, str], ...]:
        """``(rule, reason)`` of statistical rules that had too little to see, with how much more would tell."""
        return tuple((one.rule, one.reason) for one in self._with(Verdict.UNDECIDED))

    @property
    def not_checked(self) -> tuple[tuple[str, str], ...]:
        """``(rule, reason)`` of rules that lack something, or that found nothing to judge."""
        return tuple((one.rule, one.reason) for one in self._with(Verdict.NOT_CHECKED))

    @property
    def not_applicable(self) -> tuple[str, ...]:
        """Names of rules that are not applied, since other samplers than those of the traces keep them."""
        return tuple(one.rule for one in self._with(Verdict.NOT_APPLICABLE))

    def first(self, rule: str) -> Violation | None:
        """Earliest violation of a rule; None if it has none."""
        return next((violation for violation in self.violations if violation.rule == rule), None)

    def table(self) -> pd.DataFrame:
        """One row per violation with :data:`COLUMNS`; texts NOT escaped."""
        import pandas as pd

        rows = [asdict(violation) for violation in self.violations]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        whole = dict.fromkeys(("trace", "canvas", "sample", "places"), "int64")
        return table.astype(whole | {"step": "Int64", "position": "Int64"})

    def outcome_table(self) -> pd.DataFrame:
        """One row per rule with :data:`OUTCOME_COLUMNS`; texts NOT escaped.

        ``traces`` and ``judged`` count the traces in which something was judged, and the positions, steps or draws.
        ``draws``, ``hits``, ``expected`` and ``more_needed`` are of statistical rules, pooled over traces (see
        :class:`~dgemma_viz.conformance.outcome.Tally`); of one that asks two questions, those that lack more.
        """
        import pandas as pd

        rows = []
        for one in self.outcomes:
            row = {"rule": one.rule, "outcome": str(one.verdict), "traces": one.traces, "judged": one.judged}
            if (tally := one.leading) is not None:
                row |= {name: getattr(tally, name) for name in ("draws", "hits", "expected", "more_needed")}
            rows.append(row | {"reason": one.reason})
        return pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)).astype(OUTCOME_COLUMNS)

    def _with(self, verdict: Verdict) -> tuple[Outcome, ...]:
        return tuple(one for one in self.outcomes if one.verdict is verdict)

    def __str__(self) -> str:
        lines = [self._headline(), *(_indented(f"({text})") for text in self._inferences())]
        for rule, found in _by_rule(self.violations).items():
            lines += ["", printable(f"✖ {rule}  (first: {found[0].where})", "")]
            lines.append(_indented(found[0].message))
            if len(found) > 1:
                lines.append(_indented(f"and in {len(found) - 1} more {self._places()}"))
            lines.append(_indented(f"Rule: {_RULES[rule].says}"))
            lines.append(_indented(f"Source: {_RULES[rule].source}"))
        if self.passed:
            passed = ", ".join(map(self._in_some, self._with(Verdict.PASSED)))
            lines += ["", _filled(f"✓ passed: {passed}", "", "  ")]
        for verdict in (Verdict.UNDECIDED, Verdict.NOT_CHECKED):
            if rules := self._with(verdict):
                lines += ["", f"? {verdict}:"]
                lines += [_indented(f"{one.rule}: {one.reason}") for one in rules]
        if tallies := self._tallies():
            lines += ["", "Statistical rules saw:", *map(_indented, tallies)]
        lines += [f"\n{_filled(note, '', '  ')}" for note in self._notes()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<ConformanceReport: {self._headline()}>"

    def _repr_html_(self) -> str:
        columns = [name for name in COLUMNS if len(self.traces) > 1 or name not in _OF_SEVERAL]
        headings = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in columns)
        rows = "".join(f"<tr>{_cells(violation, columns)}</tr>" for violation in self.violations)
        parts = [f"<p><strong>{html.escape(self._headline())}</strong></p>"]
        parts += [f"<p>({_shown(text)})</p>" for text in self._inferences()]
        if rows:
            parts.append(f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>")
        if self.passed:
            parts.append(f"<p>✓ passed: {_shown(', '.join(map(self._in_some, self._with(Verdict.PASSED))))}</p>")
        for verdict in (Verdict.UNDECIDED, Verdict.NOT_CHECKED):
            if rules := self._with(verdict):
                reasons = "".join(f"<li><code>{_shown(one.rule)}</code>: {_shown(one.reason)}</li>" for one in rules)
                parts.append(f"<details open><summary>? {verdict}</summary><ul>{reasons}</ul></details>")
        if tallies := self._tallies():
            seen = "".join(f"<li>{_shown(line)}</li>" for line in tallies)
            parts.append(f"<details><summary>Statistical rules saw</summary><ul>{seen}</ul></details>")
        parts += [f"<p>{_shown(note)}</p>" for note in self._notes()]
        return f"<div class='{NO_FORMULAS}'>{''.join(parts)}</div>"

    # -- words ---------------------------------------------------------------------------------------------------

    def _headline(self) -> str:
        broken = len(_by_rule(self.violations))
        kinds = dict.fromkeys(map(sampler_kind, self.traces))
        rules = " and ".join(_HELD_AGAINST.get(kind, f"the rules of {kind}") for kind in kinds)
        open_ = len(self.undecided) + len(self.not_checked)
        verdict = (
            f"{broken} rule{'' if broken == 1 else 's'} broken"
            if broken
            else f"Conforms to {rules}{' in what could be checked' if open_ else ''}"
            if self.ok
            else "Nothing could be checked"
        )
        over = f"{len(self.traces)} traces, " if len(self.traces) > 1 else ""
        told = f"{len(self.undecided)} could not be told, " if self.undecided else ""
        return f"{verdict}: {over}{len(self.passed)} passed, {broken} broken, {told}{len(self.not_checked)} not checked"

    def _in_some(self, outcome: Outcome) -> str:
        """Name of a rule, with in how many of several traces it was checked where it was not in all."""
        if outcome.traces == len(self.traces):
            return outcome.rule
        return f"{outcome.rule} ({outcome.traces} of {len(self.traces)} traces)"

    def _places(self) -> str:
        return "canvases, samples or traces" if len(self.traces) > 1 else "canvases or samples"

    def _undecided_steps(self) -> Iterator[str]:
        """Of each trace the steps that made no decision, and the rules that would have judged them."""
        rules = [one.rule for one in self.outcomes if one.traces and _RULES[one.rule].is_of_decisions]
        for name, trace in zip(self.names, self.traces, strict=True):
            steps = np.flatnonzero((trace.active & ~trace.decided).any(axis=1))
            if not len(steps) or not rules:
                continue
            places = [f"step {trace.step_in_canvas[step]} of canvas {trace.canvas[step]}" for step in steps[:_MOST]]
            more = f" and {len(steps) - _MOST} more" if len(steps) > _MOST else ""
            of = f"{name}: " if len(self.traces) > 1 else ""
            them = "it" if len(steps) == 1 else "them"
            yield (
                f"{of}No decision was made in {', '.join(places)}{more}, so these rules leave {them} out: "
                f"{', '.join(rules)}."
            )

    def _tallies(self) -> list[str]:
        return [
            f"{one.rule}: {tally.seen}{_promise(tally)}"
            for one in self.outcomes
            for tally in one.tallies
            if tally.draws
        ]

    def _notes(self) -> list[str]:
        notes = []
        if self.repeated:
            pairs = [f"{self.names[index]} those of {self.names[earlier]}" for index, earlier in self.repeated[:_MOST]]
            more = f" and {len(self.repeated) - _MOST} more" if len(self.repeated) > _MOST else ""
            notes.append(
                f"Some traces repeat the random draws of others, which statistical rules count once: "
                f"{', '.join(pairs)}{more}."
            )
        notes += self._undecided_steps()
        if others := self.not_applicable:
            notes.append(f"rules of other samplers, not applicable: {', '.join(others)}")
        return notes

    def _inferences(self) -> list[str]:
        """What samplers were taken for that do not say what they are."""
        seen = dict.fromkeys((sampler_kind(trace), why) for trace in self.traces if (why := inferred_from(trace)))
        texts = [f"{kind}, inferred{', as' if why.startswith('the ') else ' from'} {why}" for kind, why in seen]
        return [f"The sampler is taken for {text}. Let 'sampler_kind' in the facts say what it is." for text in texts]


def _promise(tally: Tally) -> str:
    """From how many draws on silence means something."""
    if tally.enough_after is None:
        return ""
    return f"; {tally.enough_after:,} would have been enough to tell, had all come out so"


def _by_rule(violations: tuple[Violation, ...]) -> dict[str, list[Violation]]:
    grouped: dict[str, list[Violation]] = {}
    for violation in violations:
        grouped.setdefault(violation.rule, []).append(violation)
    return grouped


def _cells(violation: Violation, columns: Sequence[str]) -> str:
    values = (getattr(violation, name) for name in columns)
    texts = ("–" if value is None else str(value) for value in values)
    return "".join(f'<td style="text-align:left">{_shown(text)}</td>' for text in texts)


def _shown(text: str) -> str:
    return html.escape(isolated(printable(text, "")))


def _indented(text: str) -> str:
    return _filled(text, "  ", "    ")


def _filled(text: str, first: str, rest: str) -> str:
    """Lines of a report; names of rules stay whole."""
    whole = printable(text, "")
    return fill(whole, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
