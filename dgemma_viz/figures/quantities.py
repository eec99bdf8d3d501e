"""The quantities that colour can stand for, each with its title, unit, provenance, scale and range.

A registry, so that every view colours a quantity in the same way and says the same words about it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import commit_steps, flips, re_noised_again
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.marks import UNDECIDED, UNRECORDED, decision_marks
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS, Provenance

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quantity:
    """One value per step and position.

    Attributes
    ----------
    name, title
        Key in :data:`QUANTITIES`, and words on screen.
    unit
        Unit, or empty for a pure number.
    provenance
        ``"measured"`` or ``"derived"``.
    scale
        Name of a colour scale of :mod:`dgemma_viz.figures.colour_scales`.
    values
        Function from a canvas run to float ``(T, C)``; NaN where there is no value.
    highest
        Upper end of the colour range of a run's values; the lower end is 0.
    categories
        Words for the values 0, 1, ... of a categorical quantity; empty for a continuous one.
    missing
        What a NaN means.
    recorded
        Whether the trace holds what it is made of.
    on_page
        Offered on pages, too: ``views/static/colour.js`` has an entry of this name.
    """

    name: str
    title: str
    unit: str
    provenance: Provenance
    scale: str
    values: Callable[[CanvasRun], Array]
    highest: Callable[[Array], float]
    categories: tuple[str, ...] = ()
    missing: str = "not a number"
    recorded: bool = True
    on_page: bool = False

    @property
    def kind(self) -> Literal["continuous", "categorical"]:
        """Whether colours blend or stand for words."""
        return "categorical" if self.categories else "continuous"

    @property
    def heading(self) -> str:
        """Title with unit and provenance, as in ``entropy (nats) · measured``."""
        unit = f" ({self.unit})" if self.unit else ""
        if not self.recorded:
            return f"{self.title}{unit} · {UNRECORDED.label}"
        return f"{self.title}{unit} · {self.provenance}"

    def text(self, value: float) -> str:
        """One value in words."""
        if math.isnan(value):
            return self.missing
        if self.categories:
            return self.categories[int(value)]
        return f"{value:.4g} {self.unit}".rstrip()

    def value_range(self, values: Array) -> tuple[float, float]:
        """Colour range of a run's values ``(T, C)``, never empty; half a step wider at each end for categories."""
        if self.categories:
            return -0.5, len(self.categories) - 0.5
        return 0.0, self.highest(values)


def quantity_named(name: str) -> Quantity:
    """Look up a quantity.

    Raises
    ------
    SettingError
        There is no such quantity.
    """
    if name not in QUANTITIES:
        raise SettingError(f"unknown quantity {name!r}; choose from {sorted(QUANTITIES)}")
    return QUANTITIES[name]


def quantity_of(trace: Trace, name: str) -> Quantity:
    """Look up a quantity in the words of a trace's kind of noise; without values where the trace lacks them.

    Raises
    ------
    SettingError
        There is no such quantity.
    """
    quantity = quantity_named(name)
    if _MADE_OF.get(name, name) in trace.facts.absent:
        return replace(quantity, values=_nothing, missing=UNRECORDED.label, recorded=False)
    if name in trace.facts.derived:
        quantity = replace(quantity, provenance="derived")
    if name in _OF_A_DECISION and not trace.decided.all():
        quantity = replace(quantity, missing=_OF_A_DECISION[name])
    if name in _OF_A_DISTRIBUTION and trace.banned is not None:
        quantity = replace(quantity, missing=f"clamped, or {quantity.missing}")
    if trace.facts.mask_token_id is None:
        return quantity
    noise, accepted = (decision_marks(trace)[code].label for code in (Decision.NOISE, Decision.ACCEPTED))
    if name == "accepted":
        return replace(quantity, title=accepted, categories=(noise, accepted))
    return replace(quantity, title=f"{accepted} before, {noise} now") if name == "re_noised_again" else quantity


_MADE_OF = {"re_noised_again": "accepted"}
"""The array that a quantity is made of, if that is not the one of its name."""


_OF_A_DECISION = {
    "accepted": UNDECIDED.label,
    "re_noised_again": UNDECIDED.label,
    "candidate_probability": f"{UNDECIDED.label}, or not a number",
}
"""What a NaN means where some steps made no decision."""


_OF_A_DISTRIBUTION = ("confidence", "entropy", "candidate_probability")
"""Quantities without a value where one token was left."""


def _nothing(run: CanvasRun) -> Array:
    return np.full((run.n_steps, run.canvas_length), np.nan)


def _free(name: str) -> Callable[[CanvasRun], Array]:
    def values(run: CanvasRun) -> Array:
        return free_values(run, name)

    return values


def _accepted(run: CanvasRun) -> Array:
    return np.where(run.decided[:, None], run.array("accepted"), np.nan)


def _flips_so_far(run: CanvasRun) -> Array:
    return np.cumsum(flips(run), axis=0, dtype=float)


def _commit_step_once_reached(run: CanvasRun) -> Array:
    """Commit step of each position, from that step on; NaN before it."""
    commits = np.broadcast_to(commit_steps(run).astype(float), (run.n_steps, run.canvas_length))
    return np.where(np.arange(run.n_steps)[:, None] >= commits, commits, np.nan)


def _taken_back(run: CanvasRun) -> Array:
    return np.where(run.decided[:, None], re_noised_again(run), np.nan)


def _one(_values: Array) -> float:
    return 1.0


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _last_step(values: Array) -> float:
    return float(max(1, len(values) - 1))


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            "confidence",
            "confidence",
            "",
            ARRAYS["confidence"].provenance,
            "blue",
            _free("confidence"),
            _one,
            on_page=True,
        ),
        Quantity(
            "entropy",
            "entropy",
            "nats",
            ARRAYS["entropy"].provenance,
            "orange",
            _free("entropy"),
            _largest,
            on_page=True,
        ),
        Quantity(
            "accepted",
            "accepted",
            "",
            ARRAYS["accepted"].provenance,
            "two_blues",
            _accepted,
            _one,
            ("re-noised", "accepted"),
            on_page=True,
        ),
        Quantity("flips", "flips so far", "", "derived", "purple", _flips_so_far, _largest, on_page=True),
        Quantity(
            "commit_step",
            "commit step",
            "",
            "derived",
            "cividis",
            _commit_step_once_reached,
            _last_step,
            missing="draft still changes later",
            on_page=True,
        ),
        Quantity(
            "candidate_probability",
            "candidate's probability",
            "",
            ARRAYS["candidate_probability"].provenance,
            "blue",
            _free("candidate_probability"),
            _one,
        ),
        Quantity(
            "re_noised_again",
            "accepted before, re-noised now",
            "",
            "derived",
            "two_oranges",
            _taken_back,
            _one,
            ("no", "taken back"),
        ),
    )
}
"""All quantities by name."""


# -- the colour bar of maps and token grids ----------------------------------------------------------------------

COLORBAR_TOP = 98
"""Pixels that a figure leaves above its plot for titles and colour bar."""
_FROM_TOP = 76


def colorbar(shown: Quantity, height: int) -> dict[str, Any]:
    """Plotly colour bar of a quantity: a thin line under the titles, with words for categories.

    It is placed in the container, ``height`` pixels high: a colour bar that reaches out of the plot moves the title.
    """
    bar: dict[str, Any] = {
        "orientation": "h",
        "thickness": 9,
        "len": 0.5,
        "lenmode": "fraction",
        "x": 0,
        "xanchor": "left",
        "y": 1 - _FROM_TOP / height,
        "yref": "container",
        "yanchor": "middle",
        "ypad": 0,
        "xpad": 0,
        "outlinewidth": 0,
        "ticks": "",
        "tickfont": {"size": 10},
        "nticks": 5,
    }
    if shown.categories:
        bar |= {"tickmode": "array", "tickvals": list(range(len(shown.categories))), "ticktext": shown.categories}
    return bar
