"""The token canvas: readable tokens of one canvas run, coloured, marked and scrubbed in the browser.

What crosses to the browser, and when. ``show(run)`` sends everything once: the records of all steps as bytes (``data``,
laid out as :mod:`dgemma_viz.widgets.packing` says, described in ``packing``), the texts of the tokens that occur, and
the colour scales. From then on only small traits travel, both ways: ``step``, ``position`` (-1: none), ``quantity``,
``shows`` and ``playing``; the browser repaints from its own copy first and tells Python afterwards, so scrubbing never
waits for the kernel. ``dark`` is reported by the browser from the page's background; figures follow it. ``differing``
goes with a run that is compared with another: which drafts differ at each step.

While a model generates, ``append()`` adds steps. Messages that only carry news would be lost on a page that is still
loading, so the state is complete at every moment without being sent whole each time: new steps go out in ``tail``,
which holds all steps since ``data`` was last sent, and ``data`` absorbs the tail every few steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anywidget
import numpy as np
import traitlets as t

from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import UNRECORDED, decision_marks, marks_for
from dgemma_viz.figures.quantities import QUANTITIES as DESCRIBED
from dgemma_viz.figures.theme import THEMES
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.widgets.esm import joined_module, style_sheet
from dgemma_viz.widgets.packing import ID_FIELDS, Packing
from dgemma_viz.widgets.reader_choices import heed_choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt

    from dgemma_viz.figures.marks import Mark
    from dgemma_viz.trace.model import CanvasRun

QUANTITIES = ("confidence", "entropy", "accepted", "flips", "commit_step")
"""What the colour of a token can stand for; keys of :data:`dgemma_viz.figures.quantities.QUANTITIES`."""

SHOWS = ("draft", "noised", "candidate")
"""Whose token texts are shown."""

_TAIL_STEPS: Final = 8

SCALES: Final = {
    name: {quantity: list(theme.scale(DESCRIBED[quantity].scale)) for quantity in QUANTITIES}
    for name, theme in THEMES.items()
}
"""Colour stops by page and quantity, the same as the figures'."""


class TokenCanvas(anywidget.AnyWidget):  # type: ignore[misc]
    """One canvas run as coloured, marked text with its own play, step and scrub controls.

    Attributes
    ----------
    step
        Denoising step shown, counted from 0.
    position
        Pinned position, or -1.
    quantity
        What colour stands for; one of :data:`QUANTITIES`.
    shows
        Whose tokens are shown; one of :data:`SHOWS`.
    playing
        Whether the browser plays the steps.
    dark
        Whether the page is dark, as the browser saw it.
    live
        Steps are still being appended: the browser follows the newest.
    message
        Words shown above the tokens, e.g. why there are none.
    title
        What a screen reader calls the canvas; set when it is made.
    differing
        One byte a position and row: 1 where the draft differs from a compared run's. Rows are steps and go on to the
        end of the longer run: a ``step`` beyond this run's last shows its last one, marked as that row says. Empty for
        a run that is compared with none.
    named
        Positions that something else on the page speaks of, such as a chosen finding.
    words
        What the browser calls decisions and steps: ``decisions`` by value; ``phases``, one a step, empty for denoising
        steps; ``mask``, the mask token's id or -1; ``outside``, positions that do not belong to the output.
    """

    _esm = joined_module("token_canvas.js")
    _css = style_sheet("token_canvas.css")

    packing = t.Dict().tag(sync=True)
    data = t.Bytes().tag(sync=True)
    tail = t.Bytes().tag(sync=True)
    texts = t.Dict().tag(sync=True)
    tail_texts = t.Dict().tag(sync=True)
    scales = t.Dict(SCALES).tag(sync=True)
    step = t.Int(0).tag(sync=True)
    position = t.Int(-1).tag(sync=True)
    quantity = t.Enum(QUANTITIES, "confidence").tag(sync=True)
    shows = t.Enum(SHOWS, "draft").tag(sync=True)
    playing = t.Bool(False).tag(sync=True)
    dark = t.Bool(False).tag(sync=True)
    live = t.Bool(False).tag(sync=True)
    message = t.Unicode().tag(sync=True)
    title = t.Unicode("Token canvas").tag(sync=True)
    differing = t.Bytes().tag(sync=True)
    named = t.List(t.Int()).tag(sync=True)
    words = t.Dict().tag(sync=True)

    _sizes: Packing | None = None

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        heed_choices(self, "step", "position", "quantity", "shows", "playing")

    @classmethod
    def of(cls, run: CanvasRun, **traits: Any) -> TokenCanvas:
        """A canvas that shows a run."""
        canvas = cls(**traits)
        canvas.show(run)
        return canvas

    @property
    def n_steps(self) -> int:
        """Steps that the canvas holds."""
        return (len(self.data) + len(self.tail)) // self._sizes.stride if self._sizes and self._sizes.stride else 0

    def show(self, run: CanvasRun, message: str = "", differing: npt.NDArray[np.bool_] | None = None) -> None:
        """Replace what is shown by a recorded run; step and position stay where the run has them.

        ``differing`` is bool ``(rows, C)``, see the trait of that name; None marks nothing.
        """
        sizes = Packing.of(run)
        self._sizes = sizes
        with self.hold_sync():
            self.packing, self.words = sizes.to_json(), words_of(run)
            self.data, self.tail = sizes.pack_run(run), b""
            self.texts = display_texts((run.array(name) for name in ID_FIELDS), run.trace.token_texts_of)
            self.tail_texts = {}
            self.message = message
            self.differing = b"" if differing is None else differing.astype(np.uint8).tobytes()
            self.live = False
            self.step = max(0, min(self.step, run.n_steps - 1))
            if self.position >= run.canvas_length:
                self.position = -1

    def begin(self, positions: int, top_k: int, message: str = "", *, mask_token_id: int | None = None) -> None:
        """Empty the canvas for steps to come; until they are shown whole, all of them count as denoising steps."""
        self._sizes = Packing(positions, top_k)
        with self.hold_sync():
            self.packing, self.words = self._sizes.to_json(), _words(mask_token_id, marks_for(mask_token_id))
            self.data, self.tail, self.texts, self.tail_texts = b"", b"", {}, {}
            self.message, self.differing = message, b""
            self.step, self.position, self.live = 0, -1, True

    def append(self, steps: Iterable[Mapping[str, npt.NDArray[Any]]], token_text: Callable[[int], str]) -> None:
        """Add steps after :meth:`begin`: arrays named as in the trace, ``(C,)`` or ``(C, K)``."""
        if self._sizes is None:
            raise RuntimeError("append() needs begin() first")
        steps = list(steps)
        records = b"".join(self._sizes.pack_step(step) for step in steps)
        with self.hold_sync():
            if len(self.tail) >= _TAIL_STEPS * self._sizes.stride:
                self.data, self.tail = self.data + self.tail, b""
                self.texts, self.tail_texts = {**self.texts, **self.tail_texts}, {}
            ids = (step[name] for step in steps for name in ID_FIELDS)
            new = display_texts(ids, lambda these: [token_text(token) for token in these.tolist()], self.texts)
            self.tail, self.tail_texts = self.tail + records, {**self.tail_texts, **new}
            self.message = ""


def _words(mask_token_id: int | None, marks: Mapping[int, Mark]) -> dict[str, Any]:
    """What holds for a whole run."""
    return {
        "decisions": {str(int(code)): mark.label for code, mark in marks.items()},
        "mask": -1 if mask_token_id is None else mask_token_id,
    }


def words_of(run: CanvasRun) -> dict[str, Any]:
    """The trait ``words`` for a recorded run."""
    phases = run.trace.phase[run.steps].tolist()
    return _words(run.trace.facts.mask_token_id, decision_marks(run.trace)) | {
        "phases": [PHASES[phase] if phase != Phase.DENOISE else "" for phase in phases] if any(phases) else [],
        "outside": np.flatnonzero(~run.in_output).tolist(),
    }


def display_texts(
    id_arrays: Iterable[npt.NDArray[Any]],
    token_texts: Callable[[npt.NDArray[Any]], list[str]],
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Readable text of each token id that occurs and is not known yet, under its id in decimal: the trait ``texts``.

    ``token_texts`` gives the texts of ids ``(n,)``.
    """
    ids = np.unique(np.concatenate([np.zeros(0, dtype=np.int32), *(array.ravel() for array in id_arrays)]))
    if known:
        ids = ids[[str(token) not in known for token in ids.tolist()]]
    texts = {str(token): display_text(text) for token, text in zip(ids.tolist(), token_texts(ids), strict=True)}
    if str(UNKNOWN_TOKEN) in texts:
        texts[str(UNKNOWN_TOKEN)] = UNRECORDED.label
    return texts
