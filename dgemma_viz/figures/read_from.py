"""How much each layer reads from the prompt, and from what stands on the canvas: a stacked bar for each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import SOURCES, part_of, sources_read
from dgemma_viz.figures.frame import framed, key_below
from dgemma_viz.figures.inside_canvas import resolve_place, where_taken
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.inside import Inside

if TYPE_CHECKING:
    import plotly.graph_objects as go

Array = npt.NDArray[Any]

NAME = "read_from"
_TITLE = "From what does each layer read?"
_LOOKS = {
    "context": ("in front", "accent", ""),
    "accepted": ("accepted", "third", "/"),
    "re-noised": ("re-noised", "second", "x"),
    "noise": ("noise", "faint", "."),
    "given": ("given", "soft", "-"),
}
"""Word, colour and pattern of each source."""
_ALIKE = "alike"


def read_from(inside: Inside, position: int | None = None, theme: str | Theme = "light") -> go.Figure:
    """Shares of its attention that a layer spends on each source, beside those of reading all tokens alike.

    Parameters
    ----------
    inside
        With its ``attention``.
    position
        Which position reads; None: the mean over all.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one bar trace for each source of :data:`~dgemma_viz.analysis.inside.SOURCES` that has tokens, over the
        layers and over ``alike``; mean over the heads. Shares of a layer add up to 1.

    Raises
    ------
    SettingError
        The inside holds no attention; a position that is not there; unknown theme.
    """
    look, place = theme_named(theme), resolve_place(inside, position)
    found = sources_read(inside)
    readers = None if place is None else np.arange(inside.n_positions) == place
    by_layer = found.by_layer(readers)
    layers = [str(layer) for layer in part_of(inside, "attention").layer.tolist()]
    alike = found.tokens / found.tokens.sum()
    data = [
        _bars(name, [*layers, _ALIKE], [*by_layer[:, number].tolist(), alike[number]], int(found.tokens[number]), look)
        for number, name in enumerate(SOURCES)
        if found.tokens[number]
    ]
    key = key_below(0)
    key["legend"] = key["legend"] | {"traceorder": "normal"}
    layout = {
        **key,
        "barmode": "stack",
        "bargap": 0.25,
        "xaxis": {"title": {"text": "layer; alike: were all tokens read alike"}, "type": "category"},
        "yaxis": {"title": {"text": "share read"}, "range": [0, 1.001], "tickformat": ".0%"},
    }
    who = "mean of all positions" if place is None else f"position {place}"
    return framed(NAME, look, _TITLE, f"{where_taken(inside)} · {who} · derived", 380, data, layout)


def _bars(name: str, layers: list[str], shares: list[float], tokens: int, look: Theme) -> dict[str, Any]:
    word, colour, shape = _LOOKS[name]
    pattern = {"shape": shape, "bgcolor": getattr(look, colour), "fgcolor": look.paper, "size": 7, "solidity": 0.2}
    return {
        "type": "bar",
        "name": f"{word} ({tokens})",
        "x": layers,
        "y": shares,
        "marker": {
            "color": getattr(look, colour),
            "line": {"width": 0},
            "pattern": pattern,
        },
        "hovertemplate": f"<b>{word}</b>, {tokens} tokens<br>layer %{{x}}: %{{y:.1%}} · derived<extra></extra>",
    }
