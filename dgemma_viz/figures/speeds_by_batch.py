"""Tokens a second against the number of users: where batching catches up with diffusion, and where memory ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.costs.speeds import Speed
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import LINE, framed, key_below
from dgemma_viz.figures.marks import way_colour, way_line, way_marker
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.figures.uncertainty import band

NAME = "speeds_by_batch"


def speeds_by_batch(
    speeds: Mapping[str, Sequence[Speed]],
    theme: str | Theme = "light",
    *,
    between: tuple[Mapping[str, Sequence[Speed]], Mapping[str, Sequence[Speed]]] | None = None,
) -> go.Figure:
    """Modelled throughput of all users together, both axes logarithmic; the limit of each point is in its hover.

    Parameters
    ----------
    speeds
        Label to a :class:`~dgemma_viz.costs.speeds.Speed` for each batch size, in rising order. A way may end before
        the others, where its users no longer fit into memory; see :meth:`~dgemma_viz.costs.scenario.Scenario.by_batch`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.
    between
        The same speeds by the lowest and by the highest share of compute that is thought possible: drawn as bands, and
        told wherever they change which way is the fastest.

    Returns
    -------
    go.Figure
        Data: one line for each way of decoding, then one band each.

    Raises
    ------
    SettingError
        Unknown theme, nothing to draw, or batch sizes that differ.
    """
    look = theme_named(theme)
    sizes = _sizes(speeds, *(between or ()))
    rates = [
        {label: np.array([speed.tokens_per_second for speed in those]) for label, those in case.items()}
        for case in (speeds, *(between or ()))
    ]
    drawn = {label: those for label, those in speeds.items() if those}
    told = _fastest(sizes, rates)
    ends = {label: those[-1].batch for label, those in drawn.items() if len(those) < len(sizes)}
    if ends:
        told += "<br>memory ends: " + ", ".join(f"{name_label(label)} at {_users(n, n)}" for label, n in ends.items())
    lines = told.count("<br>")
    figure = framed(NAME, look, "Who serves more users?", told, height=400 + LINE * lines)
    for number, (label, those) in enumerate(drawn.items()):
        figure.add_trace(
            go.Scatter(
                name=name_label(label),
                x=list(sizes[: len(those)]),
                y=rates[0][label],
                customdata=[[speed.step.total, speed.step.limit] for speed in those],
                mode="lines+markers",
                line=way_line(look, number),
                marker=way_marker(look, number),
                hovertemplate=f"<b>{name_label(label)}</b><br>%{{x}} users: %{{y:.4~g}} tokens/s · modelled<br>"
                "a pass takes %{customdata[0]:.3~g} ms, most of it %{customdata[1]}<extra></extra>",
            )
        )
    for number, (label, those) in enumerate(drawn.items() if between else ()):
        ends_of_band = (rates[1][label], rates[2][label])
        x = np.array(sizes[: len(those)])
        figure.add_trace(
            band(name_label(label), x, ends_of_band, way_colour(look, number), of="range of compute shares")
        )
    for users in sorted(set(ends.values())):
        figure.add_shape(
            type="line",
            x0=users,
            x1=users,
            y0=0,
            y1=1,
            yref="paper",
            line={"color": look.soft, "width": 1, "dash": "dot"},
        )
        figure.add_annotation(
            text="memory ends", x=np.log10(users), xanchor="left", xshift=3, y=0, yref="paper", yanchor="bottom"
        )
    return figure.update_layout(
        xaxis={"type": "log", "title": {"text": "users at once"}, "tickvals": [n for n in sizes if n & (n - 1) == 0]},
        yaxis={"type": "log", "title": {"text": "tokens a second, all users · modelled"}, "dtick": 1},
        **key_below(lines),
    )


def _sizes(*cases: Mapping[str, Sequence[Speed]]) -> tuple[int, ...]:
    """Batch sizes of the way that goes furthest, which the others follow up to their end."""
    batches = [{label: tuple(speed.batch for speed in those) for label, those in case.items()} for case in cases]
    longest = max(batches[0].values(), key=len, default=())
    if not longest or any(own != longest[: len(own)] for own in batches[0].values()):
        raise SettingError("give at least one way of decoding, and the same batch sizes for all of them")
    if any(case != batches[0] for case in batches[1:]):
        raise SettingError("the two ends of the range must have the ways and batch sizes of the speeds themselves")
    return longest


def _fastest(sizes: Sequence[int], cases: Sequence[Mapping[str, np.ndarray]]) -> str:
    """Which way gives the most tokens at which of the batch sizes, or which ways, if the cases differ; escaped."""
    best = []
    for at in range(len(sizes)):
        held = [{label: rates[at] for label, rates in case.items() if at < len(rates)} for case in cases]
        found = {max(rates, key=rates.__getitem__) for rates in held}
        best.append(" or ".join(name_label(label) for label in cases[0] if label in found))
    starts = [at for at in range(len(sizes)) if at == 0 or best[at] != best[at - 1]]
    ends = [start - 1 for start in starts[1:]] + [len(sizes) - 1]
    told = "most tokens a second, modelled:<br>" + "<br>".join(
        f"{_users(sizes[first], sizes[last])}: {best[first]}" for first, last in zip(starts, ends, strict=True)
    )
    return told + ("<br>(two named: it depends on<br>the assumed share of compute)" if " or " in told else "")


def _users(first: int, last: int) -> str:
    number = f"{first}" if first == last else f"{first} to {last}"
    return f"{number} user{'' if number == '1' else 's'}"
