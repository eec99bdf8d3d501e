"""Encoder and decoder in one picture: who reads what, what lies between them, and how large the parts are.

Drawn with shapes and words alone, in a plane of 100 by 100 units. It holds no data, so a screen reader is told its
words, in the order in which they are added here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import plotly.graph_objects as go

from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label

NAME = "architecture"
_HEIGHT = 640
_SEEN = 6
"""Tokens of each kind in the small pictures of who sees whom."""
_KINDS = {"sliding_attention": "sliding", "full_attention": "full"}
_LEFT, _RIGHT = (1.0, 43.0), (49.0, 93.0)
Box = tuple[float, float, float, float]
"""Left, right, lower and upper edge."""


def architecture(config: Any, theme: str | Theme = "light") -> go.Figure:
    """The two halves of a DiffusionGemma, with the sizes that its configuration states.

    Parameters
    ----------
    config
        ``model.config`` of a ``DiffusionGemmaForBlockDiffusion``, of any size.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        No data: shapes, arrows and words.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look, text = theme_named(theme), config.text_config
    canvas, vocabulary = f"{config.canvas_length:,}", f"{text.vocab_size:,}"
    figure = framed(
        NAME,
        look,
        "One set of weights, read in two ways",
        "sizes as this model's configuration has them",
        height=_HEIGHT,
        layout={"xaxis": {"visible": False, "range": [0, 100]}, "yaxis": {"visible": False, "range": [-1, 100]}},
    )
    draw = _Drawing(figure, look)

    draw.words(_LEFT, 98, "<b>Read once</b>")
    draw.box((*_LEFT, 84, 95), look.raised, "prompt, then each<br>finished canvas")
    draw.arrow((22, 84), (22, 79))
    draw.box(
        (*_LEFT, 52, 79),
        look.paper,
        "<b>Encoder</b>, causal:<br>a token sees itself<br>and those before it",
        look.accent,
    )
    draw.seen((15, 29, 54, 64), [[at <= row for at in range(_SEEN)] for row in range(_SEEN)], look.accent)
    draw.arrow((22, 52), (22, 47))
    draw.box((*_LEFT, 36, 47), look.raised, "<b>Cache</b>: keys, values<br>of every layer")

    draw.words(_RIGHT, 98, "<b>Read in every step</b>")
    draw.box((*_RIGHT, 84, 95), look.raised, f"noised canvas:<br>{canvas} tokens")
    draw.arrow((71, 84), (71, 79))
    sees = "<b>Decoder</b><br>bidirectional: a position<br>sees cache and canvas"
    draw.box((*_RIGHT, 52, 79), look.paper, sees, look.second)
    draw.seen((57, 85, 54, 64), [[True] * 2 * _SEEN] * _SEEN, look.second, cached=_SEEN, of_cache=look.accent)
    draw.arrow((43, 42), (54, 52))
    draw.arrow((76, 52), (76, 47))
    draw.box((59, 93, 36, 47), look.raised, f"logits:<br>{canvas} × {vocabulary}")
    draw.arrow((76, 36), (76, 31))
    wide, between = f"{text.hidden_size:,}", f"{text.intermediate_size:,}"
    mlp = f"<b>Self-conditioning</b><br>MLP, decoder only:<br>{wide} → {between} → {wide}"
    draw.box((*_RIGHT, 18, 31), look.paper, mlp, look.third)
    draw.line((93, 24), (97, 24), (97, 65))
    draw.arrow((97, 65), (93, 65))
    draw.arrow((59, 38), (43, 28))
    draw.box((*_LEFT, 18, 31), look.raised, "<b>Last draft</b>: emitted;<br>read by the encoder<br>if more is to come")

    draw.box((1, 99, 0, 14), look.raised, "<br>".join(_shared(text)))
    return figure


class _Drawing:
    """Puts shapes and words into a figure."""

    def __init__(self, figure: go.Figure, look: Theme) -> None:
        self._figure, self._look = figure, look

    def box(self, box: Box, fill: str, words: str, edge: str = "") -> None:
        """A box with words at its top, or in its middle where it holds nothing else."""
        left, right, low, high = box
        line = {"color": edge or self._look.faint, "width": 2 if edge else 1}
        self._figure.add_shape(x0=left, x1=right, y0=low, y1=high, fillcolor=fill, line=line, layer="below")
        tall = high - low > 20  # noqa: PLR2004 - those that hold a small picture
        at = {"y": high - 1, "yanchor": "top"} if tall else {"y": (low + high) / 2, "yanchor": "middle"}
        self._say((left + right) / 2, words, **at)

    def words(self, side: tuple[float, float], y: float, words: str) -> None:
        """Words above a column."""
        self._say(sum(side) / 2, words, y=y, yanchor="middle")

    def arrow(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place to another."""
        self._figure.add_annotation(
            {"x": end[0], "y": end[1], "ax": start[0], "ay": start[1]},
            axref="x",
            ayref="y",
            text="",
            showarrow=True,
            arrowhead=2,
            arrowwidth=1.5,
            arrowcolor=self._look.soft,
        )

    def line(self, *places: tuple[float, float]) -> None:
        """From place to place, without a head."""
        path = "M" + "L".join(f"{x},{y}" for x, y in places)
        self._figure.add_shape(type="path", path=path, line={"color": self._look.soft, "width": 1.5})

    def seen(self, box: Box, mask: list[list[bool]], colour: str, cached: int = 0, of_cache: str = "") -> None:
        """Who sees whom: a row for each reader, filled where it sees; the first columns are the cache."""
        left, right, low, high = box
        wide, tall = (right - left) / len(mask[0]), (high - low) / len(mask)
        for row, sees in enumerate(mask):
            for column, there in enumerate(sees):
                filled = of_cache if column < cached else colour
                self._figure.add_shape(
                    x0=left + wide * column,
                    x1=left + wide * (column + 1),
                    y0=high - tall * row,
                    y1=high - tall * (row + 1),
                    fillcolor=filled if there else self._look.paper,
                    line={"color": self._look.paper if there else self._look.line, "width": 1},
                )

    def _say(self, x: float, words: str, **at: Any) -> None:
        self._figure.add_annotation(x=x, text=words, showarrow=False, font={"size": 12, "color": self._look.ink}, **at)


def _shared(text: Any) -> list[str]:
    """What both halves share, with sizes."""
    kinds = Counter(_KINDS.get(kind, name_label(kind)) for kind in text.layer_types)
    layers = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    experts = f"{text.num_experts} experts of {text.moe_intermediate_size:,}, {text.top_k_experts} a token"
    return [
        f"<b>The same weights</b> in both: {text.num_hidden_layers} layers",
        f"{layers}; window {text.sliding_window:,}; width {text.hidden_size:,}",
        f"MLP {text.intermediate_size:,}; {experts}",
        f"embedding and head, tied: {text.vocab_size:,} tokens",
    ]
