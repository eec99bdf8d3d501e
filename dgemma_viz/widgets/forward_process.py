"""The forward process of uniform diffusion with a slider: an answer, and the noise that training would put over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw
import numpy as np
import numpy.typing as npt

from dgemma_viz.figures.token_text import display_text
from dgemma_viz.labs.one_look import clean_canvas
from dgemma_viz.markup import Markup, tag
from dgemma_viz.tiny.batches import add_noise
from dgemma_viz.views.modules import style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.panels import status

Ids = npt.NDArray[np.int64]

_STYLE = f"<style>{style_sheets('worked_example.css', folder=STATIC)}</style>"


class ForwardProcess(ipw.VBox):  # type: ignore[misc]
    """A slider for the noise level t, and the canvas as training would show it to the decoder.

    The same random numbers serve every t, so a token that is noise at one level is noise at every higher one.

    Parameters
    ----------
    tokenizer
        The bundled model's.
    answer
        What the canvas holds; filled up with the end-of-sequence token.
    canvas_length
        Positions.
    mask
        Text of a mask token, to show beside it how a mask-token model would see the same noise; empty: not shown.
    doubts
        Takes the noised token ids and returns how little a model believes in each, 0 to 1, such as
        :func:`~dgemma_viz.labs.telling_noise.doubts`; None: not shown.

    Attributes
    ----------
    level, again
        The slider for t, and a button that draws other random numbers.
    clean, noised
        Token ids without and with noise.
    said
        The tokens, and how many of them are noise.
    """

    def __init__(
        self,
        tokenizer: Any,
        answer: str,
        canvas_length: int,
        *,
        mask: str = "",
        doubts: Callable[[Ids], npt.NDArray[Any]] | None = None,
    ) -> None:
        self._tokenizer, self._mask, self._doubts = tokenizer, mask, doubts
        self.clean = clean_canvas(tokenizer, answer, canvas_length)
        self._seed = 0
        self.level = ipw.FloatSlider(
            value=0.5,
            min=0,
            max=1,
            step=0.05,
            description="Noise level t",
            style={"description_width": "initial"},
            layout=ipw.Layout(width="28rem", max_width="100%"),
        )
        self.again = ipw.Button(description="Draw again", tooltip="Other random numbers for the same t")
        self.said = ipw.HTML(layout=ipw.Layout(width="100%", min_width="0"))
        self.level.observe(lambda _change: self._show(), "value")
        self.again.on_click(lambda _button: self._drawn_again())
        row = ipw.Box([self.level, self.again], layout=ipw.Layout(flex_flow="row wrap", align_items="center"))
        super().__init__([row, self.said], layout=ipw.Layout(width="100%", min_width="0"))
        self._show()

    def _drawn_again(self) -> None:
        self._seed += 1
        self._show()

    def _show(self) -> None:
        generator = np.random.default_rng(self._seed)
        self.noised: Ids = add_noise(self.clean[None], np.array([self.level.value]), generator, len(self._tokenizer))[0]
        texts = [display_text(text, 24) for text in self._tokenizer.convert_ids_to_tokens(self.noised.tolist())]
        changed = self.noised != self.clean
        noise = [" dgw-noise" if other else "" for other in changed]
        told = f"t = {self.level.value:g}: {changed.sum()} of {len(changed)} tokens are no longer those of the answer."
        alone = not self._mask and self._doubts is None
        parts = [_row("" if alone else "Noise marked, for you alone", texts, noise)]
        if self._mask:
            masked = [self._mask if other else text for text, other in zip(texts, changed, strict=True)]
            parts.append(_row("As a mask-token model would read it", masked, noise))
        if self._doubts is not None:
            doubts = self._doubts(self.noised)
            looks = [" dgw-doubted" + (" dgw-suspected" if doubt > 1 / 2 else "") for doubt in doubts]
            shades = [f"--dgw-doubt:{100 * doubt:.0f}%" for doubt in doubts]
            caption = "What the model doubts: the darker, the more; dashed from one half on"
            parts.append(_row(caption, texts, looks, shades))
            told += f" The doubts of the model add up to {doubts.sum():.1f}."
        self.said.value = f"{_STYLE}{''.join(map(str, parts))}{status(told)}"


def _row(caption: str, texts: list[str], kinds: list[str], styles: Sequence[str | None] = ()) -> Markup:
    """A line of tokens under a caption, if it has one; each with what is added to its class, and its style."""
    tokens = [
        tag("span", text, class_=f"dgw-token{kind}", style=style)
        for text, kind, style in zip(texts, kinds, styles or (None,) * len(texts), strict=True)
    ]
    line = tag("div", tokens, class_="dgw-tokens")
    return tag("div", tag("div", caption, class_="dgw-caption"), line) if caption else line
