"""Several ways of decoding the same prompt, side by side: what stands in the output after so many forwards or seconds.

An animation of Plotly's own (frames, a slider and a play button), so it also works without a kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import label as token_label
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.trace.model import Trace

NAME = "race_track"
_MOST_FRAMES = 120
_FRAME_MILLISECONDS = 120
_NOTHING, _DRAFT, _FINAL = 0, 1, 2
_WORDS = ("nothing yet", "will still change", "as emitted")
_ROW = 64


@dataclass(frozen=True)
class _Course:
    """What one way had after each of its passes."""

    times: npt.NDArray[np.float64]
    """Forwards or seconds at the end of each pass, ``(T,)``."""
    states: npt.NDArray[np.uint8]
    """``(T, L)``."""
    texts: npt.NDArray[Any]
    """Escaped token texts, ``(T, L)``."""

    def at(self, time: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
        """States and texts at a time."""
        done = int(np.searchsorted(self.times, time + 1e-9, side="right"))
        if not done:
            return np.zeros_like(self.states[0]), np.full_like(self.texts[0], "")
        return self.states[done - 1], self.texts[done - 1]


def race_track(
    traces: Mapping[str, Trace],
    by: Literal["forwards", "seconds"] = "forwards",
    seconds: Mapping[str, float] | None = None,
    sample: int = 0,
    theme: str | Theme = "light",
) -> go.Figure:
    """An animation of the outputs as they come to be.

    Parameters
    ----------
    traces
        Label of a way to its trace, such as of :meth:`dgemma_viz.labs.decoding.Race.of`.
    by
        The clock: decoder passes, or wall time.
    seconds
        Label to the time of the bare run; the recorded steps are spread over it. None: as recorded, recording included.
    sample
        Sample of the batch.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one heatmap with a row for each way; frames: one for each tick of the clock.

    Raises
    ------
    SettingError
        Unknown theme or clock, or there is nothing to draw.
    """
    look = theme_named(theme)
    if by not in ("forwards", "seconds"):
        raise SettingError(f"there is no clock '{by}'; choose 'forwards' or 'seconds'")
    if not traces or any(not trace.n_steps or not len(trace.emitted) for trace in traces.values()):
        raise SettingError("there is nothing to race: give at least one way, each with a finished run")
    bare = seconds or {}
    courses = {label: _course(trace, sample, by, bare.get(label)) for label, trace in traces.items()}
    end = max(float(course.times[-1]) for course in courses.values())
    ticks = _ticks(end, by)
    labels = [name_label(label) for label in courses]
    frames = [_frame(courses, labels, tick, by) for tick in ticks]
    figure = framed(NAME, look, "Who is done first?", _told(courses, by, look), height=240 + _ROW * len(courses))
    figure.add_trace(frames[-1].data[0])
    figure.data[0].update(**_heatmap_style(look))
    figure.frames = frames
    return figure.update_layout(
        xaxis={"title": {"text": "position in the output", "standoff": 8}, "showgrid": False, "zeroline": False},
        yaxis={"autorange": "reversed", "showgrid": False, "automargin": True},
        margin={"t": 86, "b": 24},
        sliders=[_slider(frames, "forward" if by == "forwards" else "ms", look)],
        updatemenus=[_buttons(look)],
    )


def _course(trace: Trace, sample: int, by: str, seconds: float | None) -> _Course:
    """The output after every pass of a run."""
    begin = trace.output_span[0]
    answer = min(len(trace.output_ids(sample)) + 1, trace.output_span[1] - begin)
    emitted = trace.emitted_ids(sample)
    causal = sampler_kind(trace) is SamplerKind.CAUSAL
    drafts = np.full((trace.n_steps, len(emitted)), -1)
    for step in range(trace.n_steps):
        size = int(trace.length[step])
        start = trace.index(int(trace.canvas[step]))
        place = slice(start, start + size)
        drafts[step, : place.start] = emitted[: place.start]
        now = trace.draft[step, sample, :size]
        written = trace.accepted[step, sample, :size] if causal else np.ones(size, dtype=bool)
        # What left-to-right decoding wrote stays; its draft differs from it where it was sampled.
        now = np.where(written, trace.candidate[step, sample, :size], -1) if causal else now
        drafts[step, place] = np.where(written, now, -1)
    drafts = drafts[trace.active[:, sample], begin : begin + answer]
    drafts[-1] = emitted[begin : begin + answer]
    final = drafts == emitted[begin : begin + answer]
    states = np.where(drafts < 0, _NOTHING, np.where(final, _FINAL, _DRAFT)).astype(np.uint8)
    known = {-1: ""} | {int(i): token_label(trace.token_text(i)) for i in np.unique(drafts[drafts >= 0])}
    texts = np.vectorize(known.__getitem__, otypes=[object])(drafts)
    times = np.arange(1, len(drafts) + 1, dtype=float)
    if by == "seconds":
        recorded = trace.wall_time[trace.active[:, sample]].astype(float)
        scale = seconds / recorded[-1] if seconds and recorded[-1] > 0 else 1.0
        times = recorded * scale * 1e3
    return _Course(times, states, texts)


def _ticks(end: float, by: str) -> npt.NDArray[np.float64]:
    if by == "forwards" and end <= _MOST_FRAMES:
        return np.arange(0, end + 1)
    return np.linspace(0, end, min(_MOST_FRAMES, 61))


def _frame(courses: Mapping[str, _Course], labels: list[str], tick: float, by: str) -> go.Frame:
    length = max(course.states.shape[1] for course in courses.values())
    z, texts = np.full((len(courses), length), np.nan), np.full((len(courses), length), "", dtype=object)
    for row, course in enumerate(courses.values()):
        states, words = course.at(tick)
        z[row, : len(states)], texts[row, : len(words)] = states, words
    hover = [
        [f"{text}<br>{_WORDS[int(state)]}" if np.isfinite(state) else "" for text, state in zip(*pair, strict=True)]
        for pair in zip(texts, z, strict=True)
    ]
    marks = [["○" if value == _DRAFT else "" for value in row] for row in z]
    name = f"{tick:.0f}" if by == "forwards" else f"{tick:.1f}"
    shown = [[None if np.isnan(value) else int(value) for value in row] for row in z]
    return go.Frame(name=name, data=[go.Heatmap(z=shown, y=labels, customdata=hover, text=marks)])


def _heatmap_style(look: Theme) -> dict[str, Any]:
    steps = (look.raised, look.second, look.accent)
    return {
        "colorscale": [[(i + j) / 3, colour] for i, colour in enumerate(steps) for j in (0, 1)],
        "zmin": -0.5,
        "zmax": 2.5,
        "xgap": 1,
        "ygap": 10,
        "hovertemplate": "<b>%{y}</b>, position %{x}<br>%{customdata}<extra></extra>",
        "hoverongaps": False,
        "showscale": False,
        "texttemplate": "%{text}",
        "textfont": {"color": look.paper},
    }


def _told(courses: Mapping[str, _Course], by: str, look: Theme) -> str:
    unit = "forwards" if by == "forwards" else "ms"
    ends = [f"{name_label(label)} {course.times[-1]:.3g}" for label, course in courses.items()]
    rows = "<br>".join(" · ".join(ends[at : at + 2]) for at in range(0, len(ends), 2))
    keys = (("■", look.accent, _FINAL), ("○", look.second, _DRAFT), ("□", look.soft, _NOTHING))
    words = "  ".join(f"<span style='color:{colour}'>{mark}</span> {_WORDS[code]}" for mark, colour, code in keys)
    return f"{unit}, measured: {rows}<br>{words}"


def _slider(frames: list[go.Frame], name: str, look: Theme) -> dict[str, Any]:
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    return {
        "active": len(frames) - 1,
        "currentvalue": {"prefix": f"{name} ", "xanchor": "right", "font": {"color": look.ink}},
        "pad": {"t": 56, "l": 96},
        "steps": [{"label": frame.name, "method": "animate", "args": [[frame.name], now]} for frame in frames],
        "ticklen": 0,
        "font": {"color": "rgba(0,0,0,0)"},
        "bgcolor": look.faint,
        "activebgcolor": look.accent,
        "bordercolor": look.faint,
    }


def _buttons(look: Theme) -> dict[str, Any]:
    play = {
        "mode": "immediate",
        "frame": {"duration": _FRAME_MILLISECONDS, "redraw": True},
        "transition": {"duration": 0},
        "fromcurrent": False,
    }
    stop = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 64},
        "bgcolor": look.raised,
        "bordercolor": look.faint,
        "font": {"color": look.ink},
        "buttons": [
            {"label": "▶", "method": "animate", "args": [None, play]},
            {"label": "❚❚", "method": "animate", "args": [[None], stop]},
        ],
    }
