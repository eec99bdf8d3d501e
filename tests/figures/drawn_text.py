"""The texts that a figure draws, and what none of them may hold as it came."""

import numpy as np

DANGEROUS = ("<script", "<b>bold", "<a href", "%{meta", "$x^2", "\u202e", "\u200b", "\x00", "\n", "\t")


def strings_of(value):
    """Every string in a figure's JSON, numbers packed as base64 left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, np.ndarray):
        yield from strings_of(value.tolist())
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings_of(item) if name != "bdata" else ()
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings_of(item)


def message_of(figure):
    return " ".join(a.text for a in figure.layout.annotations).replace("<br>", " ")
