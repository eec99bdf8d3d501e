"""Which token stands for noise: what tokenizer, config and code of a model say, in the order that they are believed.

Several may be named, and not all be right (a tokenizer has the mask token of the model that it was made for). Which one
counts, the passes tell: the first that they read.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from dgemma_viz.errors import RecordingError

NONE = -1
"""Handed over in place of an id: noise is no token of its own."""

_NAMES = ("mask_token_id", "mask_id", "mask_index")


def mask_tokens(model: Any, tokenizer: Any, given: int | None) -> tuple[int, ...]:
    """Ids that may be the mask token, the most trusted first; empty if there is none to be found.

    Parameters
    ----------
    model, tokenizer
        The model, and its tokenizer or None.
    given
        The id as the user says it, :data:`NONE` if there is none, or None.

    Raises
    ------
    RecordingError
        What was given is no token id.
    """
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int) or given < NONE:
            raise RecordingError(
                f"the mask token {given!r} is no token id: pass the id that the loop writes into the canvas, or "
                f"{NONE} if noise is any token of the vocabulary"
            )
        return () if given == NONE else (given,)
    return tuple(dict.fromkeys(_found(model, tokenizer)))


def _found(model: Any, tokenizer: Any) -> Iterator[int]:
    config = getattr(model, "config", None)
    for holder in (tokenizer, config, getattr(config, "text_config", None), getattr(model, "generation_config", None)):
        yield from _ids_of(holder, ("mask_token_id",))
    yield from _ids_of(model, _NAMES)
    yield from _defaults(type(model))
    added = getattr(tokenizer, "added_tokens_decoder", None)
    texts = {int(token): str(getattr(entry, "content", entry)) for token, entry in dict(added or {}).items()}
    named = [token for token, text in texts.items() if "mask" in text.lower()]
    yield from named[:1] if len(named) == 1 else ()


def _ids_of(holder: Any, names: tuple[str, ...]) -> Iterator[int]:
    for name in names:
        value = getattr(holder, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            yield value


def _defaults(kind: type) -> Iterator[int]:
    """Defaults of parameters that are called as a mask token is, in the methods of a class."""
    for cls in kind.__mro__:
        if cls.__module__.startswith(("torch.", "transformers.")):
            continue
        for method in vars(cls).values():
            if inspect.isfunction(method):
                parameters = inspect.signature(inspect.unwrap(method)).parameters
                yield from (
                    default
                    for name in _NAMES
                    if name in parameters and type(default := parameters[name].default) is int and default >= 0
                )
