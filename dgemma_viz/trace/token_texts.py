"""Texts of token ids in one piece of memory.

A run over many canvases meets most of the vocabulary, as noise is drawn from all of it. As a dict, the texts of 262,144
ids take as much memory as all arrays of 64 canvases; here, about a tenth of that.

Tokens of a byte-level vocabulary may hold a part of a character. Their bytes are kept: as Python's ``surrogateescape``
writes them in a text, so that :func:`dgemma_viz.plain_text.joined` makes the characters whole again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import from_bytes, to_bytes


class TokenTexts(Mapping[int, str]):
    """Immutable mapping from token ids to texts, in the order of the ids.

    Parameters
    ----------
    texts
        What to pack.

    Raises
    ------
    TraceError
        Something in it is no id, or no text.
    """

    __slots__ = ("_ends", "_ids", "_text")

    def __init__(self, texts: Mapping[int, str]) -> None:
        try:
            pairs = sorted(texts.items())
        except (AttributeError, TypeError) as error:
            raise _not_texts(error) from error
        self._pack(pairs)

    @classmethod
    def ascending(cls, ids: Iterable[int], texts: Iterable[str | None]) -> Self:
        """From ids in ascending order and the text of each; None for an id without one."""
        packed = cls.__new__(cls)
        packed._pack((token, text) for token, text in zip(ids, texts, strict=True) if text is not None)
        return packed

    def _pack(self, pairs: Iterable[tuple[int, str]]) -> None:
        ids, ends, packed = array("i"), array("I", [0]), bytearray()
        try:
            for token, text in pairs:
                packed += to_bytes(text)
                ids.append(index(token))
                ends.append(len(packed))
        except (AttributeError, OverflowError, TypeError) as error:
            raise _not_texts(error) from error
        self._ids, self._ends, self._text = ids, ends, bytes(packed)

    def of(self, ids: npt.NDArray[Any]) -> list[str | None]:
        """The text of each of many ids ``(n,)``, None for one that is not there."""
        if not self._ids:
            return [None] * len(ids)
        known, ends = np.frombuffer(self._ids, np.int32), np.frombuffer(self._ends, np.uint32)
        places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        found = zip((known[places] == ids).tolist(), ends[places].tolist(), ends[places + 1].tolist(), strict=True)
        return [from_bytes(self._text[begin:end]) if there else None for there, begin, end in found]

    def __getitem__(self, token: int) -> str:
        place = self._place(token)
        if place < 0:
            raise KeyError(token)
        return self._at(place)

    def __contains__(self, token: object) -> bool:
        return self._place(token) >= 0

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<{len(self)} token texts>"

    def _place(self, token: Any) -> int:
        """Where an id stands; -1 if it is not there."""
        try:
            place = bisect_left(self._ids, token)
        except TypeError:
            return -1
        return place if place < len(self._ids) and self._ids[place] == token else -1

    def _at(self, place: int) -> str:
        return from_bytes(self._text[self._ends[place] : self._ends[place + 1]])


def _not_texts(error: Exception) -> TraceError:
    return TraceError(f"'token_texts' must map token ids to texts ({error!s:.200})")
