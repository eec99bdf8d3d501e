"""Refuse a tokenizer that cannot be the model's: its texts would put wrong words on screen without any error."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dgemma_viz.errors import RecordingError

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
