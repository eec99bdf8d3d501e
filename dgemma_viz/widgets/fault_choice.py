"""Choose a fault to plant in the model, or none, and read what it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import ipywidgets as ipw

from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.markup import tag
from dgemma_viz.views.run_header import readable

NOTHING = ""
"""Stands for no fault: a dropdown shows None as if nothing could be chosen."""


class FaultChoice(ipw.VBox):  # type: ignore[misc]
    """A dropdown and its explanation; nothing at all where there are no faults to choose from.

    Attributes
    ----------
    fault
        Dropdown; its value is the chosen :class:`~dgemma_viz.labs.sabotage.fault.Fault`, or :data:`NOTHING`.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.fault = ipw.Dropdown(
            options=[("nothing: run it as it should be", NOTHING), *((fault.title, fault) for fault in faults)],
            description="Break",
            layout=ipw.Layout(width="calc(100% - 4px)"),
        )
        self.about = ipw.HTML()
        self.fault.observe(lambda _: self._explain(), "value")
        super().__init__([self.fault, self.about] if faults else [])

    def planted(self, model: Any) -> AbstractContextManager[None]:
        """The chosen fault, in the model for the time of a block."""
        fault: Fault | Literal[""] = self.fault.value
        return fault.plant(model) if fault else nullcontext()

    @property
    def facts(self) -> dict[str, str]:
        """For ``trace.facts.task``: which fault the run had, if any."""
        fault: Fault | Literal[""] = self.fault.value
        return {"fault": fault.title} if fault else {}

    def _explain(self) -> None:
        fault: Fault | Literal[""] = self.fault.value
        source = f" Seen in {fault.source}." if fault and fault.source else ""
        self.about.value = explanation(f"{fault.description}{source}") if fault else ""


def explanation(text: str) -> str:
    """Words under a control, as HTML."""
    return str(tag("div", readable(text), style="margin-left:6rem;line-height:1.5;opacity:.85"))
