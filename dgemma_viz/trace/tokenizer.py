"""What is asked of a tokenizer: whether it can be the model's, and the texts of single tokens.

One that cannot be the model's is refused: its texts would put wrong words on screen without any error.

Texts of single tokens, joined, give what the tokenizer decodes, spaces included. Decoders treat the first token of a
text specially (SentencePiece drops its space, WordPiece keeps its ``##``), so a token is decoded behind an anchor,
and the anchor's own text is cut off again. Where a tokenizer does not play along, the token is decoded alone. Texts are
made when a trace is built, not during the run, and are kept: a run of 48 steps over 256 positions of a large vocabulary
meets more than 12,000 different noise tokens.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

import numpy as np

from dgemma_viz.errors import RecordingError
from dgemma_viz.plain_text import from_bytes
from dgemma_viz.trace.chat_markers import MARKER_TEXTS

_UNDECODABLE = "\N{REPLACEMENT CHARACTER}"
_BYTE_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""A piece of SentencePiece's byte fallback."""
_EXTRA_SHARE = 0.01
"""Added tokens beyond the vocabulary that are tolerated: some families keep image tokens there."""

_LEAST_SHARE = 0.9
"""A tokenizer with a smaller share of the vocabulary than this belongs to another model; below 1, models pad theirs."""


def tokenizer_of(tokenizer: Any) -> Any:
    """The tokenizer itself where a processor was given."""
    inner = getattr(tokenizer, "tokenizer", None)
    return inner if hasattr(inner, "convert_ids_to_tokens") else tokenizer


def check_tokenizer(tokenizer: Any, vocabulary: int, eos_ids: Collection[int]) -> None:
    """Compare sizes and end-of-sequence tokens.

    Parameters
    ----------
    tokenizer
        A Hugging Face tokenizer.
    vocabulary
        Size of the model's vocabulary.
    eos_ids
        End-of-sequence ids of the model's generation config; empty if it names none.

    Raises
    ------
    RecordingError
        They cannot belong together, or this is not a tokenizer.
    """
    if not hasattr(tokenizer, "decode") or not hasattr(tokenizer, "__len__"):
        raise RecordingError(
            f"a {type(tokenizer).__name__} is not a tokenizer: pass the model's tokenizer or processor, or None "
            "to record without token texts"
        )
    remedy = "Load both from the same place, or pass tokenizer=None to record without token texts"
    size = len(tokenizer)
    base = getattr(tokenizer, "vocab_size", size)
    if max(base, size / (1 + _EXTRA_SHARE)) > vocabulary:
        raise RecordingError(
            f"the tokenizer has {size:,} tokens, but the model's vocabulary only {vocabulary:,}: they do not belong "
            f"together. {remedy}"
        )
    if size < _LEAST_SHARE * vocabulary:
        raise RecordingError(
            f"the tokenizer has only {size:,} tokens, but the model's vocabulary {vocabulary:,}: they do not belong "
            f"together. {remedy}"
        )
    eos = getattr(tokenizer, "eos_token_id", None)
    if eos is not None and eos_ids and eos not in eos_ids:
        raise RecordingError(
            f"the tokenizer ends a sequence with token {eos}, but the model's generation config with "
            f"{sorted(eos_ids)}: they do not belong together. {remedy}"
        )


class TokenTexts:
    """Cache of token texts of one tokenizer; None gives no texts."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, str] = {}
        self._markup: set[int] | None = None
        self._anchor: list[int] | None = None
        self._anchor_text = ""

    def of(self, ids: Iterable[int]) -> dict[int, str]:
        """Texts of token ids; ids that the tokenizer does not have are left out."""
        if self._tokenizer is None:
            return {}
        wanted = {int(token) for token in ids}
        size = len(self._tokenizer)
        missing = sorted(token for token in wanted - self._known.keys() if 0 <= token < size)
        if missing:
            self._known |= dict(zip(missing, self._decode(missing), strict=True))
        return {token: self._known[token] for token in sorted(wanted) if token in self._known}

    def special(self, ids: Iterable[int]) -> tuple[int, ...] | None:
        """Those of the ids that are markup and no text; None where the tokenizer does not tell.

        They are its special tokens, and those of the tokens added to it that mark turns or channels. Other added tokens
        are text: runs of spaces, or HTML tags, as Gemma has them.
        """
        if self._markup is None:
            self._markup = _markup_of(self._tokenizer)
        return None if self._markup is None else tuple(sorted(self._markup.intersection(map(int, ids))))

    def one(self, token: int) -> str:
        """Text of one token, ``⟨id⟩`` where there is none, as :meth:`dgemma_viz.trace.model.Trace.token_text` does."""
        return self.of([token]).get(token, f"⟨{token}⟩")

    def _decode(self, ids: list[int]) -> list[str]:
        if self._anchor is None:
            self._anchor = self._find_anchor()
            self._anchor_text = self._joined([self._anchor])[0] if self._anchor else ""
        behind = self._joined([[*self._anchor, token] for token in ids])
        fits = [text.startswith(self._anchor_text) for text in behind]
        alone = iter(self._joined([[token] for token, fit in zip(ids, fits, strict=True) if not fit]))
        texts = [text[len(self._anchor_text) :] if fit else next(alone) for text, fit in zip(behind, fits, strict=True)]
        return [self._readable(token, text) for token, text in zip(ids, texts, strict=True)]

    def _joined(self, sequences: list[list[int]]) -> list[str]:
        options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
        return [str(self._tokenizer.decode(sequence, **options)) for sequence in sequences]

    def _find_anchor(self) -> list[int]:
        """An ordinary token; empty if the tokenizer cannot encode."""
        encode = getattr(self._tokenizer, "encode", None)
        if encode is None:
            return []
        return [int(token) for token in np.atleast_1d(encode("a", add_special_tokens=False))[-1:]]

    def _readable(self, token: int, text: str) -> str:
        """The bytes of a token that holds a part of a character, where the tokenizer tells them."""
        if _UNDECODABLE not in text:
            return text
        data = self._bytes(token)
        return text if data is None else from_bytes(data)

    def _bytes(self, token: int) -> bytes | None:
        if hasattr(self._tokenizer, "decode_single_token_bytes"):  # tiktoken
            return bytes(self._tokenizer.decode_single_token_bytes(token))
        if not hasattr(self._tokenizer, "convert_ids_to_tokens"):
            return None
        piece = str(self._tokenizer.convert_ids_to_tokens(token))
        if fallback := _BYTE_FALLBACK.fullmatch(piece):
            return bytes([int(fallback[1], 16)])
        letters = _byte_letters()
        return bytes(letters[letter] for letter in piece) if piece and set(piece) <= letters.keys() else None


def _markup_of(tokenizer: Any) -> set[int] | None:
    """Ids of a tokenizer's special tokens and markers of chats; None where it has no account of them."""
    if hasattr(tokenizer, "special_tokens_set"):  # tiktoken
        return {int(tokenizer.encode_single_token(text)) for text in tokenizer.special_tokens_set}
    special, added = (getattr(tokenizer, name, None) for name in ("all_special_ids", "added_tokens_decoder"))
    if special is None and added is None:
        return None
    marked = (token for token, entry in dict(added or {}).items() if entry.special or entry.content in MARKER_TEXTS)
    return {int(token) for token in (*(special or ()), *marked)}


@cache
def _byte_letters() -> dict[str, int]:
    """The letter of byte-level BPE (GPT-2) for each byte: printable ones themselves, the rest from U+0100 on."""
    themselves = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in themselves]
    return {chr(byte): byte for byte in themselves} | {chr(256 + n): byte for n, byte in enumerate(others)}
