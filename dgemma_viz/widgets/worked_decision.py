"""One step for one position in numbers, at a place that the reader chooses: from the logits to the decision."""

from __future__ import annotations

import math

import ipywidgets as ipw

from dgemma_viz.analysis.one_decision import OneDecision, one_decision
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.plain_text import NO_FORMULAS, isolated
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.modules import style_sheets
from dgemma_viz.widgets import STATIC

_STYLE = f"<style>{style_sheets('worked_example.css', folder=STATIC)}</style>"
_HEADS = ("token", "logit", "logit ÷ T", "p", "− p ln p", "")


class WorkedDecision(ipw.VBox):  # type: ignore[misc]
    """Choosers for a step and a position, and how the step came to its decision there, as two tables.

    Parameters
    ----------
    trace
        Recorded run of the entropy-bound sampler.
    step, position
        Where to begin.

    Attributes
    ----------
    step, position
        The choosers.
    said
        The tables.

    Raises
    ------
    SettingError
        There is no such step or position, or no entropy bound decided.
    """

    def __init__(self, trace: Trace, step: int = 0, position: int = 0) -> None:
        self._run = run = trace.canvas_run()
        self.said = ipw.HTML(_tables(one_decision(run, step, position)), layout={"width": "100%", "min_width": "0"})
        look = {"style": {"description_width": "initial"}, "layout": ipw.Layout(width="22rem", max_width="100%")}
        self.step = ipw.IntSlider(description="Step", value=step, min=0, max=run.n_steps - 1, **look)
        finals = run.array("draft")[-1] if run.emitted is None else run.emitted
        places = [(f"{at}, in the end {_shown(run.token_text(token))}", at) for at, token in enumerate(finals)]
        self.position = ipw.Dropdown(description="Position", options=places, value=position, **look)
        for chooser in (self.step, self.position):
            chooser.observe(lambda _change: self._tell(), "value")
        row = ipw.Box([self.step, self.position], layout=ipw.Layout(flex_flow="row wrap", grid_gap="4px 16px"))
        super().__init__([row, self.said], layout=ipw.Layout(width="100%", min_width="0"))

    def _tell(self) -> None:
        self.said.value = _tables(one_decision(self._run, self.step.value, self.position.value))


def _tables(made: OneDecision) -> str:
    return _STYLE + _scrolling("The distribution", _alternatives(made)) + _scrolling("The decision", _steps(made))


def _scrolling(name: str, table: Markup) -> Markup:
    return tag("div", table, class_=f"dgw-scroll {NO_FORMULAS}", tabindex=0, role="region", aria_label=name)


def _alternatives(made: OneDecision) -> Markup:
    head = tag("tr", (tag("th", name, scope="col", class_=_side(at)) for at, name in enumerate(_HEADS)))
    rows = []
    for token, *values, role in made.tokens.to_numpy().tolist():
        named = tag("code", _shown(token)) if not math.isnan(values[0]) else token
        cells = [named, *map(_number, values), role]
        rows.append(tag("tr", (tag("td", cell, class_=_side(at)) for at, cell in enumerate(cells))))
    caption = tag("caption", "The distribution · p measured, the rest derived")
    return tag("table", caption, tag("thead", head), tag("tbody", rows))


def _side(column: int) -> str | None:
    return "dgw-number" if 0 < column < len(_HEADS) - 1 else None


def _steps(made: OneDecision) -> Markup:
    candidate, draft = (tag("code", _shown(text)) for text in (made.candidate, made.draft))
    within = made.spent <= made.bound
    sign = "≤" if within else ">"
    after = "the candidate is put into the canvas" if made.accepted else "a new random token takes its place"
    rows = [
        ("temperature T", _number(made.temperature), "divides the logits: below 1, likely tokens become likelier"),
        ("confidence", _number(made.confidence), markup("probability of the draft ", draft)),
        ("entropy", f"{_number(made.entropy)} nats", "the sum of the last column above"),
        (
            "place",
            f"{made.rank} of {made.positions}",
            "all positions of the step in order of entropy, the surest first",
        ),
        (
            "used before it",
            f"{_number(made.spent)} nats",
            f"entropies of the surer positions, added up: {sign} the bound",
        ),
        ("bound", f"{_number(made.bound)} nats", "the budget of the step"),
        ("draw", candidate, f"drawn with probability {_number(made.candidate_probability)}: the candidate"),
        ("decision", tag("b", "accepted" if made.accepted else "re-noised"), after),
    ]
    body = (tag("tr", tag("th", name, scope="row"), tag("td", value), tag("td", why)) for name, value, why in rows)
    return tag("table", tag("caption", "The decision · measured, the sum derived"), tag("tbody", body))


def _shown(text: str) -> str:
    return isolated(display_text(text, 24))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
