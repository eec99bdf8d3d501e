"""What rules found, for people: a DataFrame, a table for notebooks, text for terminals.

Findings quote token texts, names of files and errors, all hostile data: the HTML is escaped as it is built, and control
and text-direction characters are made visible. Colours are the reader's own: severity is a word and a mark, and lines
take the colour of the text, so light and dark themes both work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from dgemma_viz.markup import Markup, tag
from dgemma_viz.plain_text import CUT, NO_FORMULAS, isolated, printable
from dgemma_viz.rules.engine import Outcome, Verdict
from dgemma_viz.rules.finding import Finding, text_at
from dgemma_viz.rules.rule import Rule
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

_WIDTH = 100
_MOST_CHARACTERS = 600
_TYPES = {
    **dict.fromkeys(("trace", "sample", "places"), "int64"),
    **dict.fromkeys(("canvas", "step", "position"), "Int64"),
}
_TABLE = "border-collapse:collapse;text-align:left"
_CELL = "text-align:left;vertical-align:top;border-top:1px solid currentColor;padding:4px 8px"
_BREAKING = f"{_CELL};overflow-wrap:anywhere;min-width:13em"
"""Only where a model's texts stand may a word be broken: else their length squeezes ours to single letters."""


class Section(NamedTuple):
    """What a report says below its findings: a sentence, or a list of names with a text each.

    Attributes
    ----------
    title
        Heading; empty for a sentence alone.
    text
        The sentence.
    entries
        The list.
    open
        Whether HTML shows the list unasked.
    """

    title: str
    text: str = ""
    entries: Sequence[tuple[str, str]] = ()
    open: bool = False


@dataclass(frozen=True, eq=False)
class Report(ABC):
    """What rules found in one trace or several; subclasses say how they put it.

    Attributes
    ----------
    traces
        The traces.
    findings
        What was found, in the order in which to read it.
    outcomes
        What became of each rule.
    rules
        The rules, in the order in which they were applied.
    """

    traces: tuple[Trace, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    rules: tuple[Rule[Any], ...]

    columns: ClassVar[tuple[str, ...]]
    """Of :meth:`table`."""
    headings: ClassVar[tuple[str, ...]]
    """Of the table in HTML, which has the cells of :meth:`_cells`."""
    css_class: ClassVar[str]

    def of(self, *verdicts: Verdict) -> tuple[Outcome, ...]:
        """Outcomes with any of these verdicts."""
        return tuple(one for one in self.outcomes if one.verdict in verdicts)

    def rule(self, name: str) -> Rule[Any]:
        """A rule by its name."""
        return next(rule for rule in self.rules if rule.name == name)

    def table(self) -> pd.DataFrame:
        """One row per finding, with the class's ``columns``; texts NOT escaped.

        ``severity`` is ``"error"``, ``"warning"`` or ``"note"``; ``canvas`` and ``step`` are nullable integers;
        ``positions`` is a tuple and ``position`` the first of them, ``text`` what the output says there, ``evidence`` a
        dict.
        """
        import pandas as pd

        rows = []
        for one in self.findings:
            row = asdict(one) | {
                "severity": one.severity.word,
                "position": one.position,
                "evidence": dict(one.evidence),
            }
            if "text" in self.columns:
                row["text"] = text_at(self.traces[one.trace], one)
            rows.append(row)
        table = pd.DataFrame(rows, columns=list(self.columns))
        return table.astype({name: kind for name, kind in _TYPES.items() if name in self.columns})

    def __str__(self) -> str:
        lines = [self.headline(), *(_filled(text, "  ") for text in self._remarks())]
        for head, *more in self._told():
            lines += ["", _filled(head), *(_filled(text, "  ") for text in more)]
        for section in self._sections():
            title = f"{section.title}: " if section.text and section.title else section.title
            lines += ["", _filled(f"{title}{section.text}") if section.text else f"{title}:"]
            lines += [_filled(f"{name}: {text}", "  ") for name, text in section.entries]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [tag("p", tag("strong", _shown(self.headline())))]
        if self.findings:
            head = tag("tr", (tag("th", name, scope="col", style="text-align:left") for name in self.headings))
            body = tag("tbody", (tag("tr", self._row(one)) for one in self.findings))
            table = tag("table", tag("thead", head), body, style=_TABLE)
            whole = {"style": "overflow-x:auto", "tabindex": 0, "role": "region", "aria_label": "Findings"}
            parts.append(tag("div", table, **whole))
        parts += [tag("p", f"({_shown(text)})") for text in self._remarks()]
        return str(tag("div", parts, map(_section_html, self._sections()), class_=f"{self.css_class} {NO_FORMULAS}"))

    def _row(self, finding: Finding) -> Iterator[Markup]:
        for place, cell in enumerate(self._cells(finding)):
            name, scope = ("td", None) if place else ("th", "row")
            yield tag(name, _shown(cell), scope=scope, style=_BREAKING if place > 1 else _CELL)

    @abstractmethod
    def headline(self) -> str:
        """What was found, in a line."""

    @abstractmethod
    def _told(self) -> Iterator[Sequence[str]]:
        """What the text says of the findings: for each a head, and what stands below it."""

    @abstractmethod
    def _cells(self, finding: Finding) -> Sequence[str]:
        """A finding's row in the table for notebooks."""

    @abstractmethod
    def _sections(self) -> Iterator[Section]:
        """What is said below the findings."""

    def _remarks(self) -> list[str]:
        """What is said below the headline, in parentheses."""
        return []


def shortened(text: str) -> str:
    """Not the whole of what fills pages."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}{CUT}"


def _section_html(section: Section) -> Markup:
    if section.text:
        return tag("p", _shown(f"{section.title}: {section.text}" if section.title else section.text))
    entries = (tag("li", tag("code", _shown(name)), f": {_shown(text)}") for name, text in section.entries)
    return tag("details", tag("summary", section.title), tag("ul", entries), open=section.open)


def _shown(text: str) -> str:
    return isolated(printable(text, ""))


def _filled(text: str, indent: str = "") -> str:
    """Lines of a report; names of rules stay whole."""
    whole = printable(text, "")
    return fill(whole, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
