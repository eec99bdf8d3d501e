"""The forward process of uniform diffusion with a slider: an answer, and the noise that training would put over it."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw
import numpy as np
import numpy.typing as npt

from dgemma_viz.figures.token_text import display_text
from dgemma_viz.labs.one_look import clean_canvas
from dgemma_viz.markup import tag
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

    Attributes
    ----------
    level, again
        The slider for t, and a button that draws other random numbers.
    clean, noised
        Token ids without and with noise.
    said
        The tokens, and how many of them are noise.
    """

    def __init__(self, tokenizer: Any, answer: str, canvas_length: int) -> None:
        self._tokenizer = tokenizer
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
        texts = self._tokenizer.convert_ids_to_tokens(self.noised.tolist())
        changed = self.noised != self.clean
        tokens = (
            tag("span", display_text(text, 24), class_=f"dgw-token{' dgw-noise' if other else ''}")
            for text, other in zip(texts, changed, strict=True)
        )
        told = f"t = {self.level.value:g}: {changed.sum()} of {len(changed)} tokens are no longer those of the answer."
        self.said.value = f"{_STYLE}{tag('div', tokens, class_='dgw-tokens')}{status(told)}"
