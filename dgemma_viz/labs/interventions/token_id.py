"""From a token as the caller names it to its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    from dgemma_viz.trace.interventions.intervention import Token


def token_id(token: Token, tokenizer: Any, vocabulary: int) -> int:
    """Id of a token.

    Parameters
    ----------
    token
        An id; or a text that is one token: as the vocabulary writes it, or as the tokenizer encodes it.
    tokenizer
        The model's, or the processor that holds it; None allows ids only.
    vocabulary
        Size of the model's vocabulary.

    Raises
    ------
    SettingError
        There is no such token, or the text is several.
    """
    if not isinstance(token, str):
        if token >= vocabulary:
            raise SettingError(f"there is no token {token}: the vocabulary has {vocabulary:,}, counted from 0")
        return token
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    if tokenizer is None:
        raise SettingError(f"without a tokenizer, {token!r} cannot be looked up: give the token's id")
    known = tokenizer.get_vocab().get(token)
    if known is not None:
        return int(known)
    ids = tokenizer.encode(token, add_special_tokens=False)
    unknown = getattr(tokenizer, "unk_token_id", None)
    if not ids or (unknown is not None and unknown in ids):
        raise SettingError(f"the tokenizer does not know {token!r}; name a token of its vocabulary, or an id")
    if len(ids) > 1:
        parts = ", ".join(repr(tokenizer.decode([one])) for one in ids)
        raise SettingError(f"{token!r} is not one token but {len(ids)}: {parts}. Name one for each position")
    return int(ids[0])
