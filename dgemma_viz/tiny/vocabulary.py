"""The token list of the bundled model: characters for digits and signs, whole words with their leading space.

Ids are part of the published weights: append, never reorder.
"""

from __future__ import annotations

from dgemma_viz.tiny.tasks.words import COLOURS, LABELS, NAMES, PLACES, THINGS

PAD, EOS, BOS, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
SPECIAL_TOKENS = (PAD, EOS, BOS, UNKNOWN)
PAD_ID, EOS_ID, BOS_ID, UNKNOWN_ID = range(4)

_SIGNS = (" ", "/", "_", "+", "=", ".", "?", ":")
_FIRST_WORDS = ("sudoku", "add", "sort", "story", "list")
_GRAMMAR = (
    "has",
    "a",
    "is",
    "in",
    "the",
    "Who",
    "What",
    "Where",
    "Tell",
    "colour",
    "does",
    "have",
    "me",
    "about",
    "it",
    "again",
    "backwards",
)


def vocabulary() -> tuple[str, ...]:
    """All tokens in the order of their ids."""
    words = (*_GRAMMAR, *NAMES, *COLOURS, *THINGS, *PLACES, *LABELS)
    return (*SPECIAL_TOKENS, *"0123456789", *_SIGNS, *_FIRST_WORDS, *(f" {word}" for word in words))
