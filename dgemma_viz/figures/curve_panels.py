"""What the curves show: the per-step quantities of one canvas run as panels of lines and thresholds. No drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.analysis.steps import accepted_counts, noise_ratios, settled_counts
from dgemma_viz.figures.marks import UNDECIDED
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import ARRAYS, Provenance

Array = npt.NDArray[Any]

_BUDGET = "entropy"
"""Title of the panel of what an entropy bound limits: without a bound there is nothing to hold it against."""


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: float values ``(T,)``, colour (a field of Theme), Plotly symbol (or None), dash, what a NaN means."""

    name: str
    values: Array
    provenance: Provenance
    colour: str = "accent"
    symbol: str | None = "circle"
    dash: str = "solid"
    gap: str = "not a number"

    @property
    def has_gaps(self) -> bool:
        """Whether a value is not a number."""
        return bool(np.isnan(self.values).any())


@dataclass(frozen=True)
class Threshold:
    """A labelled level of the sampler's settings."""

    label: str
    value: float


@dataclass(frozen=True, eq=False)
class Panel:
    """Curves on one y axis.

    Attributes
    ----------
    title, unit
        Words above the panel.
    lines, thresholds
        What is in it.
    logarithmic
        Whether the y axis is.
    highest
        Upper end that the y axis must reach, or None.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    thresholds: tuple[Threshold, ...] = ()
    logarithmic: bool = False
    highest: float | None = None


def panels(run: CanvasRun) -> tuple[Panel, ...]:
    """The panels of a run, top to bottom, without those that its sampler has nothing to show in."""
    every = every_panel(run)
    if sampler_kind(run.trace) is SamplerKind.ENTROPY_BOUND and "temperature" not in run.trace.facts.absent:
        return every  # where something is not a number, that is worth seeing
    bounded = _is_known(_bound(run))
    known = map(_without_unknown, every)
    return tuple(panel for panel in known if panel.lines and (bounded or not panel.title.startswith(_BUDGET)))


def _without_unknown(panel: Panel) -> Panel:
    lines = tuple(filter(_is_known, panel.lines))
    alone = len(lines) == 1 < len(panel.lines)  # a panel of one line has no key to name it
    return replace(panel, title=f"{panel.title}: {lines[0].name}" if alone else panel.title, lines=lines)


def _is_known(line: Line) -> bool:
    return bool(np.isfinite(line.values).any())


_WORDS = {
    SamplerKind.MASKED: ("mask ratio", "unmasked"),
    SamplerKind.CAUSAL: ("not written yet", "written"),
}
"""Of the noise, and of what was decided."""


def every_panel(run: CanvasRun) -> tuple[Panel, ...]:
    """The same six panels for any run, with as many lines: what two runs can be compared by."""
    settings = run.trace.facts.settings
    noise, decided = _WORDS.get(sampler_kind(run.trace), ("noise ratio", "accepted"))
    return (
        Panel(noise, "fraction of positions", (_decided(run, noise, noise_ratios(run)),), highest=1.0),
        Panel(
            "positions",
            "",
            (
                _decided(run, decided, accepted_counts(run)),
                Line("settled", settled_counts(run).astype(float), "derived", "third", "diamond", "dash"),
            ),
            highest=float(run.in_output.sum()),
        ),
        Panel(
            "mean entropy",
            "nats, log scale",
            (_recorded(run, "mean_entropy", "mean entropy"),),
            _thresholds(settings, confidence_threshold="confidence threshold"),
            logarithmic=True,
        ),
        Panel("temperature", "", (_recorded(run, "temperature", "temperature"),)),
        Panel(
            _BUDGET,
            "nats",
            (
                _recorded(run, "entropy_spent", "spent"),
                _bound(run),
            ),
            _bound_asked_for(settings, run.array("entropy_bound")),
        ),
        Panel(
            "stable steps",
            "count",
            (_recorded(run, "stable_steps", "stable steps"),),
            _thresholds(settings, stability_threshold="stability threshold"),
            highest=2.0,
        ),
    )


def _decided(run: CanvasRun, name: str, values: Array) -> Line:
    """A line that follows from what was accepted; unknown where that was not recorded."""
    unknown = "accepted" in run.trace.facts.absent
    values = np.full(run.n_steps, np.nan) if unknown else values.astype(float)
    return Line(name, values, "derived", gap=_gap(run, values))


def _bound(run: CanvasRun) -> Line:
    values = run.array("entropy_bound").astype(float)
    return Line("bound", values, ARRAYS["entropy_bound"].provenance, "second", None, gap=_gap(run, values))


def _recorded(run: CanvasRun, array: str, name: str) -> Line:
    values = run.array(array).astype(float)
    return Line(name, values, ARRAYS[array].provenance, gap=_gap(run, values))


def _gap(run: CanvasRun, values: Array) -> str:
    """What NaN means in a line: that the steps made no decision, where there is none in other steps."""
    return "not a number" if run.decided[np.isnan(values)].any() else UNDECIDED.label


def _thresholds(settings: Mapping[str, Any], **labels: str) -> tuple[Threshold, ...]:
    """Thresholds of those settings that hold a number."""
    found = ((label, _number(settings.get(name))) for name, label in labels.items())
    return tuple(Threshold(f"{label} {value:g}", value) for label, value in found if value is not None)


def _bound_asked_for(settings: Mapping[str, Any], used: Array) -> tuple[Threshold, ...]:
    """The entropy bound asked for; says so where another one ran."""
    asked = _number(settings.get("entropy_bound"))
    if asked is None:
        return ()
    other = not np.allclose(used[np.isfinite(used)], asked, rtol=1e-5)
    words = "asked for, but not used" if other else ""
    return (Threshold(f"entropy bound {asked:g} {words}".rstrip(), asked),)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
