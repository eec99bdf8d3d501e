"""A diagnosis for people: a DataFrame, a table for notebooks, text for terminals.

Sentences of findings quote token texts, which are hostile data: the HTML table escapes them, and quoting has already
replaced control and text-direction characters (:mod:`dgemma_viz.diagnosis.quoting`). Errors and recorder warnings come
from elsewhere, so the text form makes control characters visible once more. Colours are the reader's own: severity is a
word and a mark, and lines take the colour of the text, so light and dark themes both work.
"""

from __future__ import annotations

import html
from textwrap import fill
from typing import TYPE_CHECKING

from dgemma_viz.diagnosis.diagnosis import Diagnosis
from dgemma_viz.diagnosis.finding import Finding, Severity
from dgemma_viz.diagnosis.rules import RULES
from dgemma_viz.diagnosis.where import text_of, where
from dgemma_viz.plain_text import CUT, NO_FORMULAS, isolated, printable

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("severity", "rule", "sample", "canvas", "step", "positions", "text", "what", "remedy", "evidence")
MARKS = {Severity.ERROR: "✖", Severity.WARNING: "▲", Severity.NOTE: "•"}
"""Beside the word, so that the worst is found at a glance and not by colour alone."""
_TITLES = {rule.name: rule.title for rule in RULES}
_WIDTH = 100
_MOST_CHARACTERS = 600
_TABLE_STYLE = "border-collapse:collapse;text-align:left"


def as_table(diagnosis: Diagnosis) -> pd.DataFrame:
    """One row per finding, worst first, with :data:`COLUMNS`; texts NOT escaped.

    ``severity`` is ``"error"``, ``"warning"`` or ``"note"``; ``canvas`` and ``step`` are nullable integers;
    ``positions`` is a tuple, ``text`` what the output says there, ``evidence`` a dict.
    """
    import pandas as pd

    rows = [
        (
            *(_word(f), f.rule, f.sample, f.canvas, f.step, f.positions, text_of(diagnosis.trace, f)),
            *(f.what, f.remedy, dict(f.evidence)),
        )
        for f in diagnosis.findings
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"sample": "int64", "canvas": "Int64", "step": "Int64"})


def as_text(diagnosis: Diagnosis) -> str:
    """Findings as plain text, for a terminal."""
    lines = [_headline(diagnosis)]
    for finding in diagnosis.findings:
        lines.append("")
        head = f"{MARKS[finding.severity]} {_word(finding).upper()}  {_TITLES[finding.rule]}"
        lines.append(fill(f"{head}  ({_place(diagnosis, finding)})", _WIDTH, subsequent_indent="    "))
        lines.append(fill(_one_line(finding.what), _WIDTH, initial_indent="  ", subsequent_indent="  "))
        lines.append(fill(f"Try: {_one_line(finding.remedy)}", _WIDTH, initial_indent="  ", subsequent_indent="    "))
    if diagnosis.not_applied:
        lines += ["", "Not applied:"]
        lines += [
            fill(f"  {name}: {_one_line(reason)}", _WIDTH, subsequent_indent="    ")
            for name, reason in diagnosis.not_applied
        ]
    return "\n".join(lines)


def as_html(diagnosis: Diagnosis) -> str:
    """Findings as a table for notebooks; everything in it is escaped."""
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in _HEADINGS)
    rows = "".join(f"<tr>{''.join(_cells(diagnosis, finding))}</tr>" for finding in diagnosis.findings)
    table = (
        "<div style='overflow-x:auto' tabindex='0' role='region' aria-label='Findings'>"
        f"<table style='{_TABLE_STYLE}'><caption style='text-align:left;font-weight:bold'>"
        f"{html.escape(_headline(diagnosis))}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        if diagnosis.findings
        else f"<p><strong>{html.escape(_headline(diagnosis))}</strong></p>"
    )
    reasons = "".join(
        f"<li><code>{html.escape(name)}</code>: {_cell(reason)}</li>" for name, reason in diagnosis.not_applied
    )
    skipped = (
        f"<details><summary>{len(diagnosis.not_applied)} rule(s) not applied</summary><ul>{reasons}</ul></details>"
    )
    return f'<div class="dgemma-viz-diagnosis {NO_FORMULAS}">{table}{skipped if reasons else ""}</div>'


_HEADINGS = ("Severity", "Finding", "Where", "Evidence (derived)", "What to try")


def _cells(diagnosis: Diagnosis, finding: Finding) -> list[str]:
    severity = f"{MARKS[finding.severity]} {_word(finding)}"
    style = "text-align:left;vertical-align:top;border-top:1px solid currentColor;padding:4px 8px"
    # Only where a model's texts stand may a word be broken: else their length squeezes ours to single letters.
    breaking = f"{style};overflow-wrap:anywhere;min-width:13em"
    ours = f'<td style="{style}">{_cell(_TITLES[finding.rule])}</td>'
    place = html.escape(isolated(_place(diagnosis, finding)))  # made visible already
    texts = (place, _cell(finding.what), _cell(finding.remedy))
    rest = "".join(f'<td style="{breaking}">{text}</td>' for text in texts)
    return [f'<th scope="row" style="{style}">{severity}</th>', ours, rest]


def _headline(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return f"No findings: {len(RULES) - len(diagnosis.not_applied)} rules applied."
    numbers = [
        f"{number} {severity.name.lower()}{'' if number == 1 else 's'}"
        for severity in sorted(Severity, reverse=True)
        if (number := sum(finding.severity == severity for finding in diagnosis.findings))
    ]
    return f"Diagnosis: {', '.join(numbers)}"


def _word(finding: Finding) -> str:
    return finding.severity.name.lower()


def _place(diagnosis: Diagnosis, finding: Finding) -> str:
    return ", ".join(where(diagnosis.trace, finding))


def _one_line(text: str) -> str:
    """What is not printable as escapes, line ends too; not the whole of what fills pages."""
    shown = printable(text[:_MOST_CHARACTERS], "")
    return shown if len(text) <= _MOST_CHARACTERS else f"{shown}{CUT}"


def _cell(text: str) -> str:
    return html.escape(isolated(_one_line(text)))
