"""The most probable tokens of one position at one step, and what is left for all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.passages import drafted
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.figures.frame import framed, message_figure, no_steps
from dgemma_viz.figures.hover import probability_text
from dgemma_viz.figures.marks import outcome
from dgemma_viz.figures.place import resolve_position, resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import label, passage_label
from dgemma_viz.trace.model import UNKNOWN_TOKEN, CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS, Provenance

NAME = "alternatives"
_LONGEST_TICK = 14
_PROBABILITIES = ("top_k_probabilities", "confidence", "candidate_probability")
_ROW = 34
"""Pixels a bar."""


@dataclass(frozen=True)
class Bar:
    """One row: escaped text, its probability, what the token was (draft, candidate), and where the number is from."""

    text: str
    probability: float
    roles: tuple[str, ...]
    provenance: Provenance
    whole_text: str = ""


def alternatives(
    trace: Trace, canvas: int = 0, sample: int = 0, step: int = -1, position: int = 0, theme: str | Theme = "light"
) -> go.Figure:
    """Bars of the alternatives at one position, draft and candidate named, the remainder last.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    step, position
        Which step (negative ones count from the end) and position.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one bar trace ``"probability"``, top row first. Another step or position changes its data, the y axis'
        tick texts and the titles.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; step, position, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    position = resolve_position(run, position)
    if not run.n_steps:
        return message_figure(NAME, look, f"Alternatives at position {position}", no_steps(run))
    step = resolve_step(run, step)
    if set(_PROBABILITIES) <= set(run.trace.facts.absent):
        message = "no probabilities of this run were recorded"
        return message_figure(NAME, look, f"Alternatives at position {position}, step {step}", message)
    bars = _bars(run, step, position)
    entropy = float(run.array("entropy")[step, position])
    mark = outcome(run, step, position)
    words = f"{entropy:.3g} nats" if np.isfinite(entropy) else "not a number"
    figure = framed(
        NAME,
        look,
        f"Alternatives at position {position}, step {step}",
        " · ".join([*passage_label(drafted(run, step), position), f"{mark.glyph} {mark.label}", f"entropy {words}"]),
        height=116 + _ROW * len(bars),
    )
    figure.add_trace(_trace(bars, look))
    return figure.update_layout(
        margin={"t": 62, "b": 46, "r": 20},
        bargap=0.36,
        xaxis={
            "title": {"text": f"probability · {ARRAYS['top_k_probabilities'].provenance}"},
            "range": [0, 1.17],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
        },
        yaxis={
            "range": [len(bars) - 0.5, -0.5],
            "tickvals": list(range(len(bars))),
            "ticktext": [_tick(bar, look) for bar in bars],
            "tickfont": {"family": look.mono, "size": 12, "color": look.ink},
            "ticks": "",
            "ticklabelstandoff": 5,
            "showgrid": False,
        },
        showlegend=False,
    )


def _bars(run: CanvasRun, step: int, position: int) -> list[Bar]:
    """Alternatives, the candidate if it is not among them, and the remainder."""
    ids = run.array("top_k_ids")[step, position].tolist()
    probabilities = run.array("top_k_probabilities")[step, position].astype(float).tolist()
    draft, candidate = int(run.array("draft")[step, position]), int(run.array("candidate")[step, position])
    measured = ARRAYS["top_k_probabilities"].provenance
    shown = [(token, p) for token, p in zip(ids, probabilities, strict=True) if token != UNKNOWN_TOKEN]
    if clamped(run)[step, position]:
        shown = [(token, p) for token, p in shown if token == draft]
    if draft not in ids:
        shown.insert(0, (draft, float(run.array("confidence")[step, position])))
    if candidate not in {UNKNOWN_TOKEN, *(token for token, _ in shown)}:
        shown.append((candidate, float(run.array("candidate_probability")[step, position])))
    bars = []
    for token, probability in shown:
        roles = (("draft",) if token == draft else ()) + (("candidate",) if token == candidate else ())
        text = run.token_text(token)
        bars.append(Bar(label(text, _LONGEST_TICK), probability, roles, measured, label(text, 60)))
    rest = 1.0 - sum(probability for _, probability in shown)
    words = "all other tokens"
    return [*bars, Bar(words, 0.0 if rest < 0 else rest, (), "derived", words)]


def _trace(bars: list[Bar], look: Theme) -> go.Bar:
    rest = len(bars) - 1
    colours = [_colour(bar, look) for bar in bars]
    return go.Bar(
        name="probability",
        orientation="h",
        x=[bar.probability for bar in bars],
        y=list(range(len(bars))),
        text=[probability_text(bar.probability) for bar in bars],
        textposition="outside",
        cliponaxis=False,
        textfont={"size": 11, "color": look.ink},
        marker={
            "color": colours,
            "line": {"width": 1, "color": colours},
            "pattern": {
                "shape": ["/" if n == rest else "" for n in range(len(bars))],
                "fgcolor": look.soft,
                "bgcolor": look.paper,
                "size": 6,
                "solidity": 0.3,
            },
        },
        customdata=[
            [bar.whole_text, " and ".join(bar.roles) or "neither draft nor candidate", bar.provenance] for bar in bars
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{text} · %{customdata[2]}<br>%{customdata[1]}<extra></extra>",
    )


def _colour(bar: Bar, look: Theme) -> str:
    if "draft" in bar.roles:
        return look.accent
    return look.second if bar.roles else look.faint


def _tick(bar: Bar, look: Theme) -> str:
    note = " · ".join(bar.roles) if bar.provenance == "measured" else bar.provenance
    if not note:
        return bar.text
    style = f"font-size:9.5px;font-family:{_quoted(look.sans)};color:{look.soft}"
    return f"{bar.text}<br><span style='{style}'>{note}</span>"


def _quoted(family: str) -> str:
    return family.replace("'", "")
