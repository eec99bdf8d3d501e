"""What every figure starts from: an empty figure in a theme, one that says why there is nothing to draw, and layouts.

The layouts are those that several figures share: ticks, a key below the plot, accuracies over counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dgemma_viz.analysis.passages import final
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.figures.theme import Theme
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.trace.model import CanvasRun

_MOST_TICKS = 12
_MOST_WORDS, _LONGEST_WORD = 6, 8
"""Ticks with words that have room on a phone, and their characters."""
_MARGIN = {"l": 12, "r": 16, "t": 62, "b": 12}
_TITLE_LINE = 26
"""Pixels from the top edge to the title's base line."""
LINE = 17
"""Pixels of a line of the subtitle."""
_BELOW = {"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"}
"""The key below the plot."""
ACCURACY_HEIGHT = 430
_PANELS_TOP, _PANELS_BOTTOM = 66, 84
_COUNTS_UP_TO, _ACCURACY_FROM = 0.2, 0.28


def framed(
    name: str,
    theme: Theme,
    title: str,
    subtitle: str,
    height: int,
    data: Sequence[Mapping[str, Any]] = (),
    layout: Mapping[str, Any] | None = None,
) -> go.Figure:
    """A figure with title, theme and a ``uirevision`` of its own, so that zoom survives updates.

    Parameters
    ----------
    name
        Name of the figure; stands in ``layout.meta``.
    theme
        Looks.
    title, subtitle
        Plain words, already escaped.
    height
        Pixels. The width is that of the page.
    data, layout
        Traces, and more of the layout, as plain properties: Plotly judges them once, where adding them to a figure
        that is there takes three times as long.
    """
    more = dict(layout or {})
    return go.Figure(
        data=[*data],
        layout={
            "template": theme.template(),
            "title": {"text": title, "subtitle": {"text": subtitle}, "y": 1 - _TITLE_LINE / height},
            "height": height,
            "margin": _MARGIN | more.pop("margin", {}),
            "meta": {"figure": name},
            "uirevision": f"dgemma_viz.{name}",
            **more,
        },
    )


def message_figure(name: str, theme: Theme, title: str, message: str) -> go.Figure:
    """A figure with nothing but a plain message."""
    figure = framed(name, theme, title, "", height=160)
    figure.add_annotation(text=message, x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 13})
    return figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})


def no_steps(run: CanvasRun) -> str:
    """Why a run without active steps has nothing to draw."""
    if run.past_end:
        return f"no active steps: sample {run.sample} had ended<br>before canvas {run.canvas}"
    return f"no active steps: sample {run.sample} was never<br>denoised on canvas {run.canvas}"


def no_bound(run: CanvasRun) -> str:
    """Why there is no entropy bound to draw decisions against; empty if there is nothing against it."""
    kind = sampler_kind(run.trace)
    if kind is not SamplerKind.ENTROPY_BOUND:
        return f"no entropy bound decides here:<br>the run was made by {kind}"
    missing = [name for name in ("accepted", "entropy") if name in run.trace.facts.absent]
    return f"not recorded: {' and '.join(missing)}" if missing else ""


def whole_ticks(count: int) -> dict[str, Any]:
    """Axis ticks at round whole numbers for values 0 .. count - 1."""
    step = next(m * 10**e for e in range(9) for m in (1, 2, 5) if count / (m * 10**e) <= _MOST_TICKS)
    return {"tickmode": "linear", "tick0": 0, "dtick": step, "tickformat": "d"}


def word_ticks(run: CanvasRun) -> dict[str, Any]:
    """A few ticks at round positions of a canvas, each with the word that stands there at the end."""
    words = final(run)
    step = next(m * 10**e for e in range(9) for m in (1, 2, 5) if run.canvas_length / (m * 10**e) <= _MOST_WORDS)
    places = list(range(0, run.canvas_length, step))
    said = [f"{p}<br>{name_label(words.word(p), _LONGEST_WORD)}" for p in places]
    return {"tickmode": "array", "tickvals": places, "ticktext": said}


def key_below(subtitle_lines: int) -> dict[str, Any]:
    """Layout for a subtitle that goes on for ``subtitle_lines`` more lines, and a key below the plot."""
    return {
        "margin": {"t": 66 + LINE * subtitle_lines, "b": 96, "l": 64},
        "legend": _BELOW,
        "showlegend": True,
    }


def accuracy_panels(
    figure: go.Figure, titles: tuple[str, str, str], xaxis: dict[str, Any], *, most: int, note: bool = False
) -> go.Figure:
    """Lay out a figure whose points are on ``y`` and whose counts are on ``y2`` (logarithmic).

    Parameters
    ----------
    figure
        With its data; changed in place.
    titles
        Words at the axes x, y and y2.
    xaxis
        More of the x axis: range, ticks.
    most
        Largest count.
    note
        Whether the subtitle has a second line.
    """
    return figure.update_layout(
        margin={"t": _PANELS_TOP + 18 * note, "b": _PANELS_BOTTOM, "l": 60},
        xaxis={"title": {"text": titles[0]}, "anchor": "y2", **xaxis},
        yaxis={
            "title": {"text": titles[1]},
            "domain": [_ACCURACY_FROM, 1],
            "range": [-0.04, 1.04],
            "dtick": 0.2,
            "anchor": "x",
        },
        yaxis2={
            "title": {"text": titles[2]},
            "domain": [0, _COUNTS_UP_TO],
            "type": "log",
            "dtick": 1,
            "range": [-0.3, math.log10(most) + 0.15],
            "tickformat": "~s",
            "anchor": "x",
        },
        bargap=0,
        legend=_BELOW,
        showlegend=True,
    )
