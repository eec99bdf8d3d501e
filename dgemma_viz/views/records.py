"""The records of the runs of one place, back to back, with the texts and words that they need.

Places in the bytes are told as start and end. A run is packed as :mod:`dgemma_viz.views.packing` says.

What was not left to the model (given, clamped and banned tokens) stands beside them as JSON;
``static/restraints.js`` reads them. Flags are told position by position; counts mostly are one for a whole step, and
drafts that were banned are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.restraints import banned_drafts, clamped, given_tokens
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import UNRECORDED, Mark, decision_marks, marks_for
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.plain_text import to_bytes
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import UNKNOWN_TOKEN, CanvasRun
from dgemma_viz.views.chat import chat_words
from dgemma_viz.views.packing import ID_FIELDS, Packing
from dgemma_viz.views.position_rows import rows_to_json

if TYPE_CHECKING:
    Array = npt.NDArray[Any]


class Records:
    """Bytes that grow run by run."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, run: CanvasRun, message: str = "", differing: npt.NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Keep a run; returns what the page needs to draw it, bytes as places.

        Parameters
        ----------
        run
            Of a recorded trace.
        message
            Words shown above its tokens, e.g. why there are none.
        differing
            Bool ``(rows, C)``: where the draft differs from a compared run's. Rows are steps and go on to the end of
            the longer run. None for a run that is compared with none.
        """
        packing = Packing.of(run)
        emitted = [] if run.emitted is None else [run.emitted]
        banned = run.array("banned_draft")
        arrays = [*(run.array(name) for name in ID_FIELDS), *emitted, banned[banned != UNKNOWN_TOKEN]]
        texts = display_texts(arrays, run.trace.token_texts_of)
        words = run_words(run)
        words["special"] = [token for token in words["special"] if str(token) in texts]
        return {
            "packing": packing.to_json(),
            "data": self._keep(packing.pack_run(run)),
            "differing": self._keep(b"" if differing is None else differing.astype("u1").tobytes()),
            "texts": texts,
            "words": words | {"raw": raw_texts(run, texts)},
            "message": message,
        } | rows_to_json(run)

    def keep(self, array: Array) -> dict[str, Any]:
        """Keep numbers of any shape, in 32 bits; returns what ``place.js`` reads them by."""
        dtype = "f4" if np.issubdtype(array.dtype, np.floating) else "i4"
        return {"at": self._keep(array.astype(f"<{dtype}").tobytes()), "dtype": dtype, "shape": list(array.shape)}

    def to_bytes(self) -> bytes:
        """All records."""
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> list[int]:
        start = self._length
        self._parts.append(data)
        self._length += len(data)
        return [start, self._length]


def raw_texts(run: CanvasRun, texts: Mapping[str, str]) -> dict[str, str | list[int]]:
    """Tokens as they are, by id, where that does not follow from the readable text: a text, or the bytes of a part."""
    raw: dict[str, str | list[int]] = {}
    ids = np.array([int(key) for key in texts if int(key) != UNKNOWN_TOKEN], dtype=np.int64)
    for token, text in zip(ids.tolist(), run.trace.token_texts_of(ids), strict=True):
        if texts[str(token)].replace("␣", " ") != text:
            data = to_bytes(text)
            raw[str(token)] = text if _is_whole(data) else list(data)
    return raw


def _is_whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def run_words(run: CanvasRun) -> dict[str, Any]:
    """What the browser calls decisions and steps of a recorded run.

    ``decisions`` and ``outcomes`` (with their mark) by value; ``phases``, one a step, empty for denoising steps;
    ``mask``, the mask token's id or None; ``outside``, positions that do not belong to the output; ``ends``, ids that
    end the output or fill what follows; ``special``, these and other ids that are no text; and turns and channels
    (:func:`dgemma_viz.views.chat.chat_words`).
    """
    phases = run.trace.phase[run.steps].tolist()
    facts = run.trace.facts
    chat = chat_words(run)
    return words_for(facts.mask_token_id, decision_marks(run.trace)) | {
        **chat,
        **restraints_json(run),
        "ends": list(facts.filling_ids),
        "special": [*facts.filling_ids, *chat["special"]],
        "phases": [PHASES[phase] if phase != Phase.DENOISE else "" for phase in phases] if any(phases) else [],
        "outside": np.flatnonzero(~run.in_output).tolist(),
    }


def words_for(mask_token_id: int | None, marks: Mapping[int, Mark] | None = None) -> dict[str, Any]:
    """What holds for a whole run, before it has any steps."""
    marks = marks_for(mask_token_id) if marks is None else marks
    return {
        "decisions": {str(int(code)): mark.label for code, mark in marks.items()},
        "outcomes": {str(int(code)): f"{mark.glyph} {mark.label}" for code, mark in marks.items()},
        "mask": mask_token_id,
    }


def display_texts(
    id_arrays: Iterable[Array], token_texts: Callable[[Array], list[str]], known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Readable text of each token id that occurs and is not known yet, under its id in decimal.

    ``token_texts`` gives the texts of ids ``(n,)``.
    """
    ids = np.unique(np.concatenate([np.zeros(0, dtype=np.int32), *(array.ravel() for array in id_arrays)]))
    if known:
        ids = ids[[str(token) not in known for token in ids.tolist()]]
    texts = {str(token): display_text(text) for token, text in zip(ids.tolist(), token_texts(ids), strict=True)}
    if str(UNKNOWN_TOKEN) in texts:
        texts[str(UNKNOWN_TOKEN)] = UNRECORDED.label
    return texts


GIVEN, CLAMPED, BANNED = 1, 2, 4
"""Bits of a flag."""


def restraints_json(run: CanvasRun) -> dict[str, Any]:
    """``restraints`` of a run; empty where nothing was restrained.

    By step: ``flags``, a string of digits; ``banned``, one count or as many as positions; ``drafts``, ids of banned
    drafts by position.
    """
    flags = GIVEN * given_tokens(run) + CLAMPED * clamped(run) + BANNED * banned_drafts(run)
    if not flags.any() and not run.array("banned").any():
        return {}
    drafts = run.array("banned_draft")
    return {
        "restraints": {
            "flags": ["".join(map(str, row)) for row in flags.tolist()],
            "banned": [_counts(row) for row in run.array("banned")],
            "drafts": [{str(place): int(row[place]) for place in np.flatnonzero(row >= 0)} for row in drafts],
        }
    }


def _counts(row: Array) -> int | list[int]:
    counts: list[int] = row.tolist()
    return counts[0] if len(set(counts)) == 1 else counts
