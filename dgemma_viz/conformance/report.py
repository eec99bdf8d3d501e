"""What a conformance check gives: violations, rules that passed, and rules that could not be checked, with reasons."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.conformance.rules import RULES
from dgemma_viz.plain_text import NO_FORMULAS, isolated, printable

if TYPE_CHECKING:
    import pandas as pd

    from dgemma_viz.conformance.violation import Violation
    from dgemma_viz.trace.model import Trace

COLUMNS = ("rule", "canvas", "step", "sample", "position", "found", "expected", "message", "places")
_RULES = {rule.name: rule for rule in RULES}
_WIDTH = 100


@dataclass(frozen=True, eq=False)
class ConformanceReport:
    """Outcome of :func:`dgemma_viz.check_conformance`; in a notebook it shows itself as a table.

    Attributes
    ----------
    trace
        The trace.
    violations
        The first breach of each rule in each canvas of each sample, earliest step first: what comes first is most
        likely the cause of the rest.
    passed
        Names of rules that were checked and hold.
    not_checked
        ``(rule, reason)`` of rules that lack something, or that found nothing to judge.
    of_others
        Number of rules that other samplers than the trace's keep; they are not applied.
    """

    trace: Trace
    violations: tuple[Violation, ...]
    passed: tuple[str, ...]
    not_checked: tuple[tuple[str, str], ...]
    of_others: int = 0

    @property
    def ok(self) -> bool:
        """Nothing is broken, and something was checked."""
        return bool(self.passed) and not self.violations

    def first(self, rule: str) -> Violation | None:
        """Earliest violation of a rule; None if it has none."""
        return next((violation for violation in self.violations if violation.rule == rule), None)

    def table(self) -> pd.DataFrame:
        """One row per violation with :data:`COLUMNS`; texts NOT escaped."""
        import pandas as pd

        rows = [asdict(violation) for violation in self.violations]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        return table.astype(
            {"canvas": "int64", "step": "Int64", "sample": "int64", "position": "Int64", "places": "int64"}
        )

    def __str__(self) -> str:
        lines = [self._headline()]
        for rule, found in _by_rule(self.violations).items():
            lines += ["", f"✖ {rule}  (first: {found[0].where})"]
            lines.append(_indented(found[0].message))
            if len(found) > 1:
                lines.append(_indented(f"and in {len(found) - 1} more canvases or samples"))
            lines.append(_indented(f"Rule: {_RULES[rule].says}"))
            lines.append(_indented(f"Source: {_RULES[rule].source}"))
        if self.passed:
            lines += ["", fill(f"✓ passed: {', '.join(self.passed)}", _WIDTH, subsequent_indent="  ")]
        if self.not_checked:
            lines += ["", "? not checked:"]
            lines += [_indented(f"{name}: {reason}") for name, reason in self.not_checked]
        if self.of_others:
            lines += ["", f"{self.of_others} rules of other samplers do not apply."]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<ConformanceReport: {self._headline()}>"

    def _repr_html_(self) -> str:
        headings = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in COLUMNS)
        rows = "".join(f"<tr>{_cells(violation)}</tr>" for violation in self.violations)
        table = f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        passed = f"<p>✓ passed: {html.escape(', '.join(self.passed))}</p>" if self.passed else ""
        reasons = "".join(
            f"<li><code>{html.escape(name)}</code>: {_shown(reason)}</li>" for name, reason in self.not_checked
        )
        skipped = f"<details open><summary>? not checked</summary><ul>{reasons}</ul></details>" if reasons else ""
        others = f"<p>{self.of_others} rules of other samplers do not apply.</p>" if self.of_others else ""
        head = f"<p><strong>{html.escape(self._headline())}</strong></p>"
        return f"<div class='{NO_FORMULAS}'>{head}{table}{passed}{skipped}{others}</div>"

    def _headline(self) -> str:
        broken, kind = len(_by_rule(self.violations)), sampler_kind(self.trace)
        rules = "the reference sampler" if kind is SamplerKind.ENTROPY_BOUND else f"the rules of {kind}"
        verdict = (
            f"{broken} rule{'' if broken == 1 else 's'} broken"
            if broken
            else f"Conforms to {rules}"
            if self.ok
            else "Nothing could be checked"
        )
        return f"{verdict}: {len(self.passed)} passed, {broken} broken, {len(self.not_checked)} not checked"


def _by_rule(violations: tuple[Violation, ...]) -> dict[str, list[Violation]]:
    grouped: dict[str, list[Violation]] = {}
    for violation in violations:
        grouped.setdefault(violation.rule, []).append(violation)
    return grouped


def _cells(violation: Violation) -> str:
    values = ("–" if value is None else str(value) for value in asdict(violation).values())
    return "".join(f'<td style="text-align:left">{_shown(value)}</td>' for value in values)


def _shown(text: str) -> str:
    return html.escape(isolated(printable(text, "")))


def _indented(text: str) -> str:
    return fill(printable(text, ""), _WIDTH, initial_indent="  ", subsequent_indent="    ")
