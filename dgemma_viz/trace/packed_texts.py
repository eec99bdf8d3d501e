"""Token texts as bytes of a trace file: one UTF-8 JSON list aligned with the vocabulary, compressed with zlib.

A run meets tens of thousands of tokens, whose texts would be a third of the file. Compression lets a small file claim
much, so what it may grow to is bounded by bytes that are there: four times the compressed texts and 16 bytes for each
token of the vocabulary. Texts that compress further than that, or not at all, stand there plain, as all of schemas 1
and 2 do.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from dgemma_viz.errors import TraceFileError


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
