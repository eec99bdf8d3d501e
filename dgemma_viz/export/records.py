"""The records of all canvas runs of an export, back to back; places in them are told as start and end in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.figures.marks import decision_marks
from dgemma_viz.figures.token_text import label
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.widgets.packing import ID_FIELDS, Packing
from dgemma_viz.widgets.position_rows import rows_to_json
from dgemma_viz.widgets.token_canvas import display_texts, words_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dgemma_viz.trace.model import CanvasRun, Trace


class Records:
    """Bytes that grow run by run, and the texts of the tokens that occur in them, by trace."""

    def __init__(self, n_traces: int) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._texts: list[dict[str, str]] = [{} for _ in range(n_traces)]
        self._labels: list[dict[str, str]] = [{} for _ in range(n_traces)]

    def add(
        self, run: CanvasRun, message: str, differing: npt.NDArray[np.bool_] | None = None, trace: int = 0
    ) -> dict[str, Any]:
        """Keep a run; returns the traits of its token canvas, bytes as places.

        ``differing`` is bool ``(rows, C)``, see :attr:`dgemma_viz.widgets.token_canvas.TokenCanvas.differing`.
        """
        packing, texts, labels = Packing.of(run), self._texts[trace], self._labels[trace]
        emitted = [] if run.emitted is None else [run.emitted]
        new = display_texts([*(run.array(name) for name in ID_FIELDS), *emitted], run.trace.token_texts_of, texts)
        texts.update(new)
        for key, text in new.items():
            escaped = label(run.token_text(int(key))) if int(key) != UNKNOWN_TOKEN else text
            if escaped != text:  # what Plotly would read as markup
                labels[key] = escaped
        return {
            "trace": trace,
            "packing": packing.to_json(),
            "data": self._keep(packing.pack_run(run)),
            "differing": self._keep(b"" if differing is None else differing.astype("u1").tobytes()),
            "words": words_of(run),
            "message": message,
        } | rows_to_json(run)

    def words(self, trace: Trace, number: int = 0) -> dict[str, Any]:
        """What holds for all runs of a trace: texts, those as Plotly needs them, decisions."""
        outcomes = {str(int(code)): f"{mark.glyph} {mark.label}" for code, mark in decision_marks(trace).items()}
        texts, labels = self._texts[number], self._labels[number]
        return {"texts": texts, "labels": labels, "outcomes": outcomes}

    def to_bytes(self) -> bytes:
        """All records."""
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> list[int]:
        start = self._length
        self._parts.append(data)
        self._length += len(data)
        return [start, self._length]
