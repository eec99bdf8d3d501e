"""Frames of text: the canvas after each step, as texts without token ids.

Read against the sources of

- LLaDA (ML-GSAI/LLaDA at b7e6c35, 2026-06-25): ``visualization/generate.py`` appends to ``sample_process.txt`` a line
  for each step, ``12, *first token&*second token&``, of the answer; newlines and end tokens are written as spaces.
  ``app.py`` keeps a list of frames in memory, each of pairs of a text and a colour, the first of masks alone; Dream's
  ``app.py`` as well (both as Gradio's ``HighlightedText`` takes them).
- Whatever else stores ``{"frames": [...]}``, a list of frames, or a line ``{"step": 3, "text": ...}`` for each: a frame
  is a list of token texts, a list of pairs that begin with one, a list of objects with ``"text"`` or ``"token"``, or
  one text.

Frames of one text each have positions only where all have as many words and masks; with a tokenizer, as many tokens.
Else they are refused: a position must keep its meaning. Frames without any mask are taken for the drafts of a model
that has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.readers.known import Known
from dgemma_viz.trace.readers.states import States, trace_of_drafts, trace_of_states

Array = npt.NDArray[Any]

NAME = "series of text frames"
HOLDS = (
    "'frames', a list of frames, or lines with 'step' and 'text' or 'tokens': texts of tokens; or LLaDA's "
    "sample_process.txt"
)

MASK_TEXT = "[MASK]"
_OF_TOKENIZERS = ("<|mdm_mask|>", "<|mask|>", "<|MASK|>", "<MASK>", "<mask>", "[mask]")
_MASKS = {MASK_TEXT, *_OF_TOKENIZERS, "|<MASK>|", "⟨mask⟩", "⬚", "░", "▒", "█", "■"}
"""How the mask is written: by tokenizers (LLaDA, Dream and SDAR, BERT), and by those who draw it."""
_FRAME_KEYS = ("tokens", "text", "frame", "canvas")
_LINE = re.compile(r"(\d+), (\*.*&)")
_MASK = "|".join(map(re.escape, sorted(_MASKS, key=len, reverse=True)))
_PIECE = re.compile(rf"{_MASK}|\s*(?:(?!{_MASK})\S)+|\s+")
"""A mask, a word with the space before it, or space that no word follows."""
_OTHERS_STEP = Notice(
    NoticeCode.FIRST_CANVAS_DERIVED,
    "the file begins after the first step; what that step read is taken to be masks alone",
)
_NUMBERED = Notice(
    NoticeCode.TOKENS_NUMBERED,
    "the file holds texts and no token ids: equal texts have equal numbers, in the order in which they occur, and "
    "those are not the ids of any vocabulary",
)
_ENCODED_AGAIN = Notice(
    NoticeCode.TOKENS_ENCODED_AGAIN,
    "the file holds one text for each step and no token ids: the texts were encoded again, and the model may have "
    "written them in other tokens",
)


def fits(content: Any) -> bool:
    """Whether these are frames of text."""
    return bool(_runs(content))


def read(content: Any, known: Known) -> dict[str, Trace]:
    """One run; of a ``sample_process.txt`` as many as were appended to it."""
    record = content if isinstance(content, dict) else {}
    runs = _runs(content)
    named = {"" if len(runs) == 1 else str(number): run for number, run in enumerate(runs)}
    from_llada = isinstance(content, str)
    return {name: _trace(run, from_llada, record, known.beside(record)) for name, run in named.items()}


def numbered(frames: Sequence[Sequence[str]]) -> tuple[Array, dict[int, str], int | None, Notice]:
    """Numbers in place of texts, ``(T, C)``; the text of each; the number of the mask, if one occurs; a notice."""
    numbers: dict[str, int] = {}
    for text in chain.from_iterable(frames):
        numbers.setdefault(MASK_TEXT if text.strip() in _MASKS else text, len(numbers))
    rows = [[numbers[MASK_TEXT if text.strip() in _MASKS else text] for text in frame] for frame in frames]
    return np.array(rows, dtype=np.int32), {n: text for text, n in numbers.items()}, numbers.get(MASK_TEXT), _NUMBERED


# -- from content to frames --------------------------------------------------------------------------------------


def _runs(content: Any) -> list[list[Any]]:
    """Frames of each run: texts, or lists of texts; none if the content is something else."""
    if isinstance(content, str):
        return _of_llada(content)
    named = isinstance(content, dict)
    if isinstance(content, dict):
        content = content.get("frames")
    if not isinstance(content, list) or len(content) < 2:  # noqa: PLR2004
        return []
    if not named and isinstance(content[0], str):  # one frame
        return []
    if all(isinstance(one, dict) and "step" in one for one in content):
        content = sorted(content, key=lambda one: one["step"] if isinstance(one["step"], int | float) else 0)
    frames = [frame_of(one) for one in content]
    kinds = {type(frame) for frame in frames}
    return [frames] if kinds in ({str}, {list}) else []


def frame_of(value: Any) -> str | list[str] | None:
    """A frame: one text, or a text for each position; None if it is neither."""
    if isinstance(value, dict):
        value = next((value[key] for key in _FRAME_KEYS if key in value), None)
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return None
    texts = [_token(one) for one in value]
    return None if None in texts else [text for text in texts if text is not None]


def _token(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("text", value.get("token"))
    elif isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def _of_llada(text: str) -> list[list[Any]]:
    """Runs of a ``sample_process.txt``: the number of the step begins anew where another one was appended."""
    runs: list[list[Any]] = []
    last = 0
    for line in text.splitlines():
        if not line.strip():
            continue
        if (found := _LINE.fullmatch(line.strip())) is None:
            return []
        if int(found[1][:9]) <= last or not runs:
            runs.append([])
        last = int(found[1][:9])
        runs[-1].append(found[2][1:-1].split("&*"))
    return runs


# -- from frames to a trace --------------------------------------------------------------------------------------


def _trace(frames: list[Any], from_llada: bool, record: dict[str, Any], known: Known) -> Trace:
    texts: dict[int, str] | None = None
    if isinstance(frames[0], str):
        pieces = [_PIECE.findall(frame) for frame in frames]
        if known.tokenizer is not None:
            rows, notice = _encoded(frames, known), _ENCODED_AGAIN
            mask = known.mask_token_id if known.mask_token_id in rows else None
        else:
            rows, texts, mask, notice = numbered(_aligned(pieces, "words"))
    else:
        rows, texts, mask, notice = numbered(_aligned(frames, "tokens"))
    known = Known(None if texts else known.tokenizer, mask)
    notices = [notice]
    if mask is None:
        return trace_of_drafts(rows[:, None], known, known.facts(record, NAME, notices), texts)
    if from_llada and not (rows[0] == mask).all():
        rows = np.concatenate([np.full_like(rows[:1], mask), rows])
        notices.append(_OTHERS_STEP)
    return trace_of_states([States(rows[:, None])], known, known.facts(record, NAME, notices), texts=texts)


def _aligned(frames: Sequence[Sequence[str]], what: str) -> Sequence[Sequence[str]]:
    """The frames, which must have equally many positions, at least one."""
    sizes = [len(frame) for frame in frames]
    if len({*sizes}) > 1 or not sizes[0]:
        step = next((step for step, size in enumerate(sizes) if size != sizes[0]), 0)
        raise TraceFileError(
            f"its frames do not have the same positions: {sizes[0]} {what} in frame 0, {sizes[step]} in frame {step}. "
            "Store each frame as a list of its tokens' texts, masks included"
            + (", or give the model's tokenizer as load_trace(..., tokenizer=...)" if what == "words" else "")
        )
    return frames


def _encoded(frames: Sequence[str], known: Known) -> Array:
    rows = [[int(token) for token in known.tokenizer.encode(frame, add_special_tokens=False)] for frame in frames]
    _aligned([[str(token) for token in row] for row in rows], "tokens")
    return np.array(rows, dtype=np.int32)
