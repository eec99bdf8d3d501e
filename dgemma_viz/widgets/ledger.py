"""A claim's ledger: rows of evidence that say what they are, and a verdict, the reader's before ours is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, get_args

import ipywidgets as ipw
import pandas as pd
import traitlets as t

from dgemma_viz.errors import SettingError
from dgemma_viz.markup import tag
from dgemma_viz.widgets.answer_fields import STYLE, choice
from dgemma_viz.widgets.panels import status
from dgemma_viz.widgets.reading_table import reading_table

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

Kind = Literal["measured here", "published", "calculated"]
Opinion = Literal["it holds", "it depends", "it does not hold", "neither shown nor refuted"]
OPINIONS: Final[tuple[Opinion, ...]] = get_args(Opinion)


@dataclass(frozen=True)
class Evidence:
    """One row of a ledger.

    Attributes
    ----------
    kind
        ``"measured here"`` (in this run, on the bundled model), ``"published"`` or ``"calculated"`` (from the others).
    found
        What was found, with its figure.
    setting
        Device, format, prompts: what the figure holds for.
    n
        Of how many; ``"not told"`` where the source does not say.
    source
        Who says so, and when; of a calculation, what it was done from.

    Raises
    ------
    SettingError
        On construction: a field is empty, or the kind is none of the three.
    """

    kind: Kind
    found: str
    setting: str
    n: str
    source: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SettingError(f"evidence is one of {', '.join(get_args(Kind))}, not {self.kind!r}")
        empty = [one.name for one in fields(self) if not str(getattr(self, one.name)).strip()]
        if empty:
            raise SettingError(f"this evidence has no '{empty[0]}': {self.found or self.source}")


def ledger(rows: Iterable[Evidence]) -> Styler:
    """The rows as a table to read: measured, then published, then calculated, each kind in the order given."""
    found = sorted(rows, key=lambda row: get_args(Kind).index(row.kind))
    columns = ["kind", "what was found", "setting", "n", "source"]
    return reading_table(pd.DataFrame([astuple(row) for row in found], columns=columns))


class Verdict(ipw.VBox):  # type: ignore[misc]
    """Asks for the reader's verdict on a claim, then shows ours beside it; neither is called right or wrong.

    Parameters
    ----------
    claim
        In a few words, for the question.
    ours
        Our verdict.
    why
        What it rests on.

    Attributes
    ----------
    claim, ours
        As given.
    given
        The choice.
    compare
        The button that shows both.
    said
        What is shown.
    readers
        The reader's verdict when ours was shown first; empty before. Observable.

    Raises
    ------
    SettingError
        Our verdict is none of :data:`OPINIONS`.
    """

    readers = t.Unicode(default_value="", read_only=True)

    def __init__(self, claim: str, ours: Opinion, why: str) -> None:
        if ours not in OPINIONS:
            raise SettingError(f"a verdict is one of {', '.join(OPINIONS)}, not {ours!r}")
        self.claim, self.ours, self._why = claim, ours, why
        self.given = choice(OPINIONS)
        self.compare = ipw.Button(
            description="Compare with ours",
            button_style="primary",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.said = ipw.HTML()
        self.compare.on_click(lambda _button: self._compared())
        question = tag(
            "p", tag("strong", "Your verdict first. "), f"“{claim}”: what do these rows say?", class_="dgx-question"
        )
        super().__init__(
            [ipw.HTML(f"{STYLE}{question}"), self.given, self.compare, self.said],
            layout=ipw.Layout(width="100%", min_width="0"),
        )
        self.add_class("dgx-exercise")

    def _compared(self) -> None:
        if self.given.value is None:
            self.said.value = status("Choose one first; there is no wrong answer here, only a reason to give.")
            return
        if not self.readers:
            self.set_trait("readers", self.given.value)
        same = "as ours" if self.readers == self.ours else f"ours is: {self.ours}"
        self.said.value = status(f"You said: {self.readers}, {same}. {self._why}")


class Tally(ipw.VBox):  # type: ignore[misc]
    """The reader's verdicts beside ours, claim by claim; ours of a claim only once the reader has given theirs."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.table = ipw.HTML()
        super().__init__([self.table], layout=ipw.Layout(width="100%", min_width="0", overflow="auto"))
        for verdict in verdicts:
            verdict.observe(lambda _change: self._tell(), "readers")
        self._tell()

    def _tell(self) -> None:
        rows = [
            (number, one.claim, one.readers or "–", one.ours if one.readers else "after yours")
            for number, one in enumerate(self.verdicts, 1)
        ]
        table = pd.DataFrame(rows, columns=["", "claim", "yours", "ours"])
        self.table.value = reading_table(table).to_html()
