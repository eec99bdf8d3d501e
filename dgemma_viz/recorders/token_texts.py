"""Token ids to the text that a reader sees, and the check that a tokenizer belongs to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FEWEST_TOKENS = 0.9
"""Vocabularies are padded for speed; a tokenizer that knows less than this share of one belongs to another model."""

_WORD_START = "▁"
"""SentencePiece's mark of a leading space, which decoding one token alone drops."""


def check_tokenizer(tokenizer: Any, vocab_size: int, eos_token_ids: tuple[int, ...]) -> None:
    """Refuse a tokenizer whose ids cannot be those of the model.

    Raises
    ------
    RecordingError
        It has more tokens than the model's vocabulary, far fewer, or ends sequences with a token that does not end the
        model's.
    """
    if not hasattr(tokenizer, "decode") or not hasattr(tokenizer, "__len__"):
        raise RecordingError(
            f"'{type(tokenizer).__name__}' is not a Hugging Face tokenizer; give the one in the model's folder, "
            "or None to record token ids without texts"
        )
    known = len(tokenizer)
    remedy = "load the tokenizer from the model's own folder: AutoTokenizer.from_pretrained(...)"
    if known > vocab_size or known < _FEWEST_TOKENS * vocab_size:
        raise RecordingError(
            f"the tokenizer knows {known:,} tokens, but the model's vocabulary has {vocab_size:,}: they do not belong "
            f"together; {remedy}"
        )
    end = getattr(tokenizer, "eos_token_id", None)
    if end is not None and eos_token_ids and end not in eos_token_ids:
        raise RecordingError(
            f"the tokenizer ends a sequence with token {end}, the model with {list(eos_token_ids)}: they do not belong "
            f"together; {remedy}"
        )


def token_text(tokenizer: Any, token_id: int) -> str | None:
    """Text of one token, its leading space kept; None where the tokenizer has no such token."""
    if tokenizer is None or token_id >= len(tokenizer):
        return None
    text: str = tokenizer.decode([token_id], skip_special_tokens=False, clean_up_tokenization_spaces=False)
    piece = tokenizer.convert_ids_to_tokens(token_id)
    if isinstance(piece, str) and piece.startswith(_WORD_START) and not text.startswith(" "):
        return f" {text}"
    return text


def token_texts(tokenizer: Any, token_ids: Iterable[int]) -> dict[int, str]:
    """Texts of the given ids; ids without one are left out."""
    texts = {int(i): token_text(tokenizer, int(i)) for i in token_ids}
    return {i: text for i, text in texts.items() if text is not None}
