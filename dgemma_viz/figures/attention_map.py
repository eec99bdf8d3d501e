"""Who reads whom: rows are positions that read, columns the prompt and the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import part_of
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.hover import token_labels
from dgemma_viz.figures.inside_canvas import (
    SHORT,
    origin_words,
    place_of,
    resolve_place,
    resolve_positions,
    where_taken,
)
from dgemma_viz.figures.quantities import COLORBAR_TOP, QUANTITIES, colorbar
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.inside import Attention, Inside

if TYPE_CHECKING:
    import plotly.graph_objects as go

Array = npt.NDArray[Any]

NAME = "attention_map"
_TITLE = "Who reads whom"
_SIDE, _BELOW = 360, 76
"""Pixels of the canvas's square, and under it."""
_GAP = 0.02
_PROMPT_SHARE = (0.12, 0.5)
"""Least and most of the width that the prompt gets."""
_WORDS_IN_FRONT = 8
"""Tokens that are named on a prompt as wide as a phone; a narrower one gets its share of them."""
_CLIPPED = 0.99
"""Quantile of the shares at which colours end: a single token that everybody reads would leave the rest pale."""
_SCALE = "purple"


def attention_map(
    inside: Inside,
    layer: int | None = None,
    head: int | None = None,
    position: int | None = None,
    positions: range | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Map of the attention of one layer, or of the mean: y position that reads, x what it reads.

    Parameters
    ----------
    inside
        With its ``attention``.
    layer, head
        One that was kept, as ``attention.layer`` and ``attention.head`` name it; None: the mean over those kept.
    position
        Selected row, or None.
    positions
        Neighbours of the canvas to show, as rows and as columns; None: all.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: ``[heatmap "in front", heatmap "canvas"]``; the first, without padding, is missing where nothing stands in
        front. The canvas is square, with cells as wide as high. A click gives y = position that reads; x = position on
        the canvas, or the token's place in ``inside.context``. Another position changes ``layout.shapes`` only.

    Raises
    ------
    SettingError
        The inside holds no attention; a layer, head or position that is not there; unknown theme.
    """
    look, attention = theme_named(theme), part_of(inside, "attention")
    shown, place = resolve_positions(inside, positions), resolve_place(inside, position)
    weight = _weight(attention, layer, head)
    n_front = len(inside.context)
    front = np.flatnonzero(inside.context_mask)
    rows = slice(shown.start, shown.stop)
    canvas = weight[rows, n_front + shown.start : n_front + shown.stop]
    in_front = weight[rows, front]
    highest = float(np.nanquantile(np.concatenate([in_front, canvas], axis=1), _CLIPPED)) or 1.0
    height = COLORBAR_TOP + _SIDE + _BELOW
    share = float(np.clip(len(front) / (len(front) + len(shown)), *_PROMPT_SHARE)) if front.size else 0.0
    split = share + _GAP if front.size else 0.0
    colours = {
        "type": "heatmap",
        "y": list(shown),
        "zmin": 0.0,
        "zmax": highest,
        "colorscale": plotly_scale(look.scale(_SCALE)),
    }
    texts = token_labels(inside, inside.noised[rows])
    found = origin_words(inside)[rows]
    reader = [f"position {p}, {text} ({word})" for p, text, word in zip(shown, texts, found, strict=True)]
    data = []
    if front.size:
        said = token_labels(inside, inside.context[front])
        data.append(_part("in front", in_front, np.arange(front.size), said, reader) | colours | {"showscale": False})
        data[0]["x"] = front
    said = np.array([f"{text} ({word})" for text, word in zip(texts, found, strict=True)])
    bar = colorbar(QUANTITIES["confidence"], height) | {"tickformat": "~g"}
    on_canvas = _part("canvas", canvas, np.array(list(shown)), said, reader) | colours
    data.append(on_canvas | {"xaxis": "x2", "colorbar": bar})
    axis = {"showgrid": False, "anchor": "y"}
    layout = {
        "margin": {"t": COLORBAR_TOP, "l": 72, "b": _BELOW},
        "xaxis": {"title": {"text": "in front"}, "domain": [0, share], **axis, **_front_ticks(inside, front, share)},
        "xaxis2": {
            "title": {"text": "canvas: position"},
            "domain": [split, 1],
            "range": [shown.start - 0.5, shown.stop - 0.5],
            "scaleanchor": "y",
            "constrain": "domain",
            "constraintoward": "left",
            **axis,
            "tickformat": "d",
        },
        "yaxis": {
            "title": {"text": "position that reads"},
            "range": [shown.stop - 0.5, shown.start - 0.5],
            "constrain": "domain",
            "constraintoward": "top",
            "anchor": "x" if front.size else "x2",
            "showgrid": False,
            "tickformat": "d",
        },
        "showlegend": False,
        "shapes": _frames(place, ["x", "x2"] if front.size else ["x2"], look),
    }
    if not front.size:
        del layout["xaxis"]
    which = "all layers" if layer is None else f"layer {layer}"
    which += "" if head is None else f", head {head}"
    subtitle = f"{where_taken(inside)} · {which} · share read · measured"
    return framed(NAME, look, _TITLE, subtitle, height, data, layout)


def _weight(attention: Attention, layer: int | None, head: int | None) -> Array:
    """Shares of one layer and head, or their mean: float32 ``(C, X)``."""
    weight = attention.weight.astype(np.float32)
    weight = weight.mean(axis=0) if layer is None else weight[place_of(attention.layer, layer, "layer")]
    shares: Array = weight.mean(axis=0) if head is None else weight[place_of(attention.head, head, "head")]
    return shares


def _part(name: str, shares: Array, x: Array, said: Array, reader: list[str]) -> dict[str, Any]:
    cells = shares.shape
    details = [np.broadcast_to(said, cells), np.broadcast_to(np.array(reader)[:, None], cells)]
    return {
        "name": name,
        "x": x,
        "z": shares,
        "customdata": np.stack(details, axis=-1),
        "hovertemplate": (
            f"%{{customdata[1]}}<br>reads <b>%{{customdata[0]}}</b>, {name} %{{x}}<br>"
            "share: %{z:.3f} · measured<extra></extra>"
        ),
    }


def _front_ticks(inside: Inside, front: Array, share: float) -> dict[str, Any]:
    if not front.size:
        return {}
    step = max(1, -(-front.size // max(1, int(share * _WORDS_IN_FRONT))))
    places = front[::step]
    words = token_labels(inside, inside.context[places], SHORT)
    return {"tickmode": "array", "tickvals": places, "ticktext": words, "tickangle": 0}


def _frames(place: int | None, axes: list[str], look: Theme) -> list[dict[str, Any]]:
    """Around the selected row, in each part."""
    if place is None:
        return []
    row = {"type": "rect", "yref": "y", "x0": 0, "x1": 1, "y0": place - 0.5, "y1": place + 0.5}
    looks = {
        "selected position: halo": {"color": look.paper, "width": 3},
        "selected position": {"color": look.ink, "width": 1.25},
    }
    return [{**row, "xref": f"{x} domain", "name": name, "line": line} for x in axes for name, line in looks.items()]
