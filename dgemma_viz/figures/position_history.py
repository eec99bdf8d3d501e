"""One position over the steps: what its draft was, how sure the model was, and what the sampler did with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.passages import final
from dgemma_viz.analysis.positions import flips, re_noised_again
from dgemma_viz.analysis.restraints import clamped, free_values
from dgemma_viz.figures.frame import framed, message_figure, no_steps, whole_ticks
from dgemma_viz.figures.hover import outcome_texts, token_labels
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.marks import CHANGED, TAKEN_BACK, UNRECORDED, Mark, decision_marks, decisions, shown_decisions
from dgemma_viz.figures.place import resolve_position, resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import display_text, label, passage_label
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS

NAME = "position_history"
_HEIGHT = 430
_LONGEST_LABEL = 10
_NARROWEST, _CHARACTER, _LINE = 272, 7.5, 14
"""Pixels: the least width of the plot that labels are laid out for, the width of a character, the height of a line."""
_INDENT = 4
"""Pixels that a text along its stretch begins before its step."""
_LONGEST_UPRIGHT = 7
"""Characters that fit into the height of the draft panel."""
_DRAFT, _CONFIDENCE, _ENTROPY = (0.78, 0.97), (0.36, 0.70), (0.0, 0.27)
"""Domains of the three panels."""


def position_history(
    trace: Trace,
    canvas: int = 0,
    sample: int = 0,
    position: int = 0,
    step: int | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Draft texts, confidence and entropy of one position over the steps, with marks for what happened to it.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample, position
        Which run of it, and which position, counted from 0.
    step
        Step at which to draw a marker line, or None; negative steps count from the end.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: scatters ``draft``, ``draft changed``, ``confidence``, ``accepted``, ``re-noised``, ``taken back``,
        ``entropy`` and ``not a number``, always all eight; draft texts are annotations, one per stretch of equal
        drafts that has room for it, the last one before all others. Another step changes ``layout.shapes`` only
        (:func:`~dgemma_viz.figures.markers.step_marker`). A click gives x = step.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; position, step, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    position = resolve_position(run, position)
    title = f"Position {position} over the steps"
    if not run.n_steps:
        return message_figure(NAME, look, title, no_steps(run))
    if step is not None:
        step = resolve_step(run, step)
    changed = flips(run)[:, position]
    figure = framed(NAME, look, title, _subtitle(run, position, changed), height=_HEIGHT)
    drafts = [_stretches(changed, look), _changes(run, position, changed, look)]
    figure.add_traces(
        [*drafts, *_confidence(run, position, look), _entropy(run, position, look), _gaps(run, position, look)]
    )
    texts = _draft_texts(run, position, look)
    unnamed = len(texts) <= changed.sum()
    figure.update_layout(annotations=[*texts, *_panel_titles(look, "(the others: point at ▲)" if unnamed else "")])
    return figure.update_layout(
        margin={"t": 78, "b": 76, "l": 52},
        shapes=[] if step is None else [step_marker(step, look)],
        xaxis={
            "title": {"text": "denoising step"},
            "range": [-0.5, run.n_steps - 0.5],
            "anchor": "y3",
            **whole_ticks(run.n_steps),
        },
        yaxis={"domain": _DRAFT, "range": [0, 1], "visible": False, "fixedrange": True},
        yaxis2={"domain": _CONFIDENCE, "range": [-0.08, 1.1], "tickvals": [0, 0.5, 1]},
        yaxis3={"domain": _ENTROPY, "rangemode": "tozero", "nticks": 4},
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _subtitle(run: CanvasRun, position: int, changed: Any) -> str:
    count = int(changed.sum())
    words = "never changed" if not count else "changed once" if count == 1 else f"changed {count} times"
    last = label(run.token_text(run.array("draft")[-1, position]), _LONGEST_LABEL)
    alone = int(clamped(run)[:, position].sum())
    held = [f"clamped in {alone} of {run.n_steps} steps (measured): no value there"] if alone else []
    return " · ".join([*passage_label(final(run), position), f"draft {words} (derived), now at {last}", *held])


def _confidence(run: CanvasRun, position: int, look: Theme) -> list[go.Scatter]:
    """The line, and one trace of marks per outcome."""
    steps = np.arange(run.n_steps)
    confidence = free_values(run, "confidence")[:, position]
    codes, words = decisions(run)[:, position], decision_marks(run.trace)
    lost = re_noised_again(run)[:, position]
    details = np.stack([token_labels(run, run.array("draft")[:, position]), outcome_texts(run)[:, position]], axis=-1)
    line = go.Scatter(
        name="confidence",
        x=steps,
        y=confidence,
        yaxis="y2",
        mode="lines",
        line={"color": look.accent, "width": 1.75},
        hoverinfo="skip",
        showlegend=False,
    )
    hover = (
        "<b>%{customdata[0]}</b><br>step %{x}<br>"
        f"confidence %{{y:.4~g}} · {ARRAYS['confidence'].provenance}<br>"
        f"%{{customdata[1]}} · {ARRAYS['accepted'].provenance}<extra></extra>"
    )

    def marks(mark: Mark, where: Any, colour: str, size: int) -> go.Scatter:
        return go.Scatter(
            name=f"{mark.label}",
            x=steps[where],
            y=confidence[where],
            customdata=details[where],
            yaxis="y2",
            mode="markers",
            marker={"symbol": mark.symbol, "size": size, "color": colour, "line": {"width": 1.75, "color": colour}},
            hovertemplate=hover,
        )

    return [
        line,
        *(marks(words[code], codes == code, look.accent, 7) for code in shown_decisions(run)),
        marks(TAKEN_BACK, lost, look.warning, 10),
    ]


def _stretches(changed: Any, look: Theme) -> go.Scatter:
    """A bar under each stretch of equal drafts."""
    starts = np.flatnonzero(np.concatenate([[True], changed[1:]]))
    ends = np.append(starts[1:], len(changed)) - 1
    return go.Scatter(
        name="draft",
        x=np.stack([starts - 0.3, ends + 0.3, np.full(len(starts), np.nan)], axis=-1).ravel(),
        y=np.full(3 * len(starts), 0.0),
        mode="lines",
        line={"color": look.faint, "width": 3},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )


def _changes(run: CanvasRun, position: int, changed: Any, look: Theme) -> go.Scatter:
    steps = np.flatnonzero(changed)
    return go.Scatter(
        name=CHANGED.label,
        x=steps,
        y=np.full(len(steps), 0.0),
        customdata=token_labels(run, run.array("draft")[steps, position]),
        yaxis="y",
        mode="markers",
        marker={"symbol": CHANGED.symbol, "size": 8, "color": look.warning},
        cliponaxis=False,
        hovertemplate=f"<b>%{{customdata}}</b><br>step %{{x}}<br>{CHANGED.label} · derived<extra></extra>",
    )


def _entropy(run: CanvasRun, position: int, look: Theme) -> go.Scatter:
    return go.Scatter(
        name="entropy",
        x=np.arange(run.n_steps),
        y=free_values(run, "entropy")[:, position],
        yaxis="y3",
        mode="lines+markers",
        line={"color": look.second, "width": 1.75},
        marker={"size": 5, "symbol": "square"},
        cliponaxis=False,
        hovertemplate=f"step %{{x}}<br>entropy %{{y:.4~g}} nats · {ARRAYS['entropy'].provenance}<extra></extra>",
        showlegend=False,
    )


def _gaps(run: CanvasRun, position: int, look: Theme) -> go.Scatter:
    """Crosses at the foot of the entropy panel where confidence or entropy is not a number."""
    names = ("confidence", "entropy")
    absent = np.stack([np.isnan(run.array(name)[:, position]) for name in names])
    steps = np.flatnonzero(absent.any(axis=0))
    lacking = {name for name, gone in zip(names, absent, strict=True) if gone.any()}
    words = UNRECORDED.label if lacking <= set(run.trace.facts.absent) else "not a number · measured"
    which = [" and ".join(name for name, gone in zip(names, absent[:, step], strict=True) if gone) for step in steps]
    return go.Scatter(
        name="not a number",
        x=steps,
        y=np.zeros(len(steps)),
        text=which,
        yaxis="y3",
        mode="markers",
        marker={"symbol": "x-thin-open", "size": 7, "color": look.warning, "line": {"width": 1.5}},
        cliponaxis=False,
        hovertemplate=f"step %{{x}}<br>%{{text}}: {words}<extra></extra>",
        showlegend=False,
    )


def _draft_texts(run: CanvasRun, position: int, look: Theme) -> list[dict[str, Any]]:
    """A text where each stretch of equal drafts begins: along it if it fits, else upright, else none.

    The last stretch comes first, then the longer ones: where drafts change at nearly every step, not all have room.
    """
    draft = run.array("draft")[:, position]
    starts = np.flatnonzero(np.concatenate([[True], draft[1:] != draft[:-1]]))
    lengths = np.diff(np.append(starts, run.n_steps))
    step_width = _NARROWEST / run.n_steps
    lengths[-1] += run.n_steps  # before all others
    taken: list[tuple[float, float]] = []
    texts = {}
    for stretch in np.argsort(-lengths, kind="stable").tolist():
        start, text = int(starts[stretch]), run.token_text(draft[starts[stretch]])
        end = int(starts[stretch + 1]) if stretch + 1 < len(starts) else run.n_steps
        wide = len(display_text(text, _LONGEST_LABEL)) * _CHARACTER
        fits = wide <= (end - start) * step_width
        left = start * step_width - (_INDENT if fits else _LINE / 2)
        right = left + (wide if fits else _LINE)
        if any(left < theirs and mine < right for mine, theirs in taken):
            continue
        taken.append((left, right))
        along = {"xanchor": "left", "xshift": -_INDENT} if fits else {"textangle": -90, "xanchor": "center"}
        texts[start] = {
            "text": label(text, _LONGEST_LABEL if fits else _LONGEST_UPRIGHT),
            "name": f"draft from step {start}",
            "x": start,
            "y": 0.16,
            "xref": "x",
            "yref": "y",
            "yanchor": "bottom",
            "font": {"family": look.mono, "size": 11, "color": look.ink},
            **along,
        }
    return [texts[start] for start in sorted(texts)]


def _panel_titles(look: Theme, of_drafts: str) -> list[dict[str, Any]]:
    titles = {
        "y": ("draft", f" {of_drafts}".rstrip(), ARRAYS["draft"].provenance),
        "y2": ("confidence", "", ARRAYS["confidence"].provenance),
        "y3": ("entropy", " (nats)", ARRAYS["entropy"].provenance),
    }
    place = {"x": 0, "xref": "x domain", "xanchor": "left", "xshift": -2, "y": 1, "yanchor": "bottom", "yshift": 2}
    return [
        {
            **place,
            "yref": f"{axis} domain",
            "text": f"<b>{title}</b><span style='color:{look.soft}'>{unit} · {source}</span>",
            "font": {"size": 12, "color": look.ink},
            "bgcolor": look.paper,
            "borderpad": 0,
        }
        for axis, (title, unit, source) in titles.items()
    ]
