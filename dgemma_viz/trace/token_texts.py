"""Texts of token ids in one piece of memory.

A run over many canvases meets most of the vocabulary, as noise is drawn from all of it. As a dict, the texts of
262,144 ids take as much memory as all arrays of 64 canvases; here, about a tenth of that.

Tokens of a byte-level vocabulary may hold a part of a character. Their bytes are kept: as Python's
``surrogateescape`` writes them in a text, so that :func:`dgemma_viz.plain_text.joined` makes the characters whole
again.

In a trace file they are one UTF-8 JSON list aligned with the vocabulary, compressed with zlib. A run meets tens of
thousands of tokens, whose texts would be a third of the file. Compression lets a small file claim much, so what it
may grow to is bounded by bytes that are there: four times the compressed texts and 16 bytes for each token of the
vocabulary. Texts that compress further than that, or not at all, stand there plain, as all of schemas 1 and 2 do.
"""

from __future__ import annotations

import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import index
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceError, TraceFileError
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


def pack_texts(texts: Sequence[str | None]) -> bytes:
    """Bytes of a text for each token of the vocabulary, None where a token has none."""
    plain = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    packed = zlib.compress(plain)
    return packed if len(packed) < len(plain) <= _most(packed, len(texts)) else plain


def unpack_texts(data: bytes, n_tokens: int) -> list[str | None]:
    """The texts of ``n_tokens`` tokens.

    Raises
    ------
    TraceFileError
        They are no such list, or compressed beyond the bound.
    """
    plain = data if data.startswith(b"[") else _unpacked(data, _most(data, n_tokens))
    try:
        texts = json.loads(plain.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise TraceFileError(f"'token_texts' is not UTF-8 JSON ({error})") from error
    if not isinstance(texts, list) or len(texts) != n_tokens:
        raise TraceFileError("'token_texts' does not hold one entry per token of 'vocabulary'")
    if not all(text is None or isinstance(text, str) for text in texts):
        raise TraceFileError("'token_texts' holds something that is not text")
    return texts


def _most(packed: bytes, n_tokens: int) -> int:
    """Bytes that compressed texts may grow to."""
    return 4 * len(packed) + 16 * n_tokens


def _unpacked(packed: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise TraceFileError(f"'token_texts' is neither UTF-8 JSON nor compressed ({error})") from error
    if len(plain) > most:
        raise TraceFileError(f"'token_texts' is compressed beyond the {most} bytes that such a file may hold")
    if not stream.eof or stream.unused_data:
        raise TraceFileError("'token_texts' is compressed and does not end where it should")
    return plain
