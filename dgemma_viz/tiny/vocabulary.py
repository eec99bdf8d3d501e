"""The token list of the bundled model: characters for digits and signs, whole words with their leading space.

Ids are part of the published weights: append, never reorder.
"""

from __future__ import annotations

PAD, EOS, BOS, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
MASK = "<mask>"
"""Used by the mask-token model only. As in Gemma's vocabulary, the other models have it as well."""
SPECIAL_TOKENS = (PAD, EOS, BOS, UNKNOWN)
PAD_ID, EOS_ID, BOS_ID, UNKNOWN_ID = range(4)

NAMES = ("Tom", "Ann", "Sam", "Eva", "Max", "Lea", "Ben", "Mia")
COLOURS = ("red", "blue", "green", "black", "white", "pink", "gold", "grey")
THINGS = ("kite", "hat", "ball", "boat", "lamp", "drum", "book", "cup", "bike", "doll")
PLACES = ("garden", "kitchen", "park", "school", "shop", "barn", "library", "station")
LABELS = tuple(f"({letter})" for letter in "abcdefghijklmn")

_SIGNS = (" ", "/", "_", "+", "=", ".", "?", ":")
_FIRST_WORDS = ("sudoku", "add", "sort", "story", "list")
_OPEN_FIRST_WORDS = ("grid", "sums", "tale", "gifts", "brackets")
_BRACKETS = tuple("([{)]}")
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
    first = (*SPECIAL_TOKENS, *"0123456789", *_SIGNS, *_FIRST_WORDS, *(f" {word}" for word in words))
    return (*first, MASK, *_OPEN_FIRST_WORDS, *_BRACKETS, " The")


MASK_ID = vocabulary().index(MASK)
