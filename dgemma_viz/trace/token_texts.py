"""Texts of token ids in one piece of memory.

A run over many canvases meets most of the vocabulary, as noise is drawn from all of it. As a dict, the texts of 262,144
ids take as much memory as all arrays of 64 canvases; here, about a tenth of that.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, Self

from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import whole_characters


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
            self._pack(sorted(texts.items()))
        except (AttributeError, OverflowError, TypeError) as error:
            raise TraceError(f"'token_texts' must map token ids to texts ({error!s:.200})") from error

    @classmethod
    def ascending(cls, ids: Iterable[int], texts: Iterable[str | None]) -> Self:
        """From ids in ascending order and the text of each; None for an id without one."""
        packed = cls.__new__(cls)
        packed._pack((token, text) for token, text in zip(ids, texts, strict=True) if text is not None)
        return packed

    def _pack(self, pairs: Iterable[tuple[int, str]]) -> None:
        ids, ends, packed = array("q"), array("Q", [0]), bytearray()
        for token, text in pairs:
            packed += whole_characters(text).encode()
            ids.append(index(token))
            ends.append(len(packed))
        self._ids, self._ends, self._text = ids, ends, bytes(packed)

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
        return self._text[self._ends[place] : self._ends[place + 1]].decode()
