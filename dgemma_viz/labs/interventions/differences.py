"""Whether a repeated run is the recorded one, to the last bit, and what may have made it another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import Divergence, divergence_of
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import ARRAYS

_MAY_DIFFER = {"wall_time"}


def first_difference(a: Trace, b: Trace) -> Divergence | None:
    """The earliest divergence of all samples; None if there is none."""
    pair = pair_of(a, b)
    found = [divergence_of(pair, sample) for sample in range(pair.n_samples)]
    return min((one for one in found if one is not None), key=lambda one: (one.canvas, one.step), default=None)


def identical(a: Trace, b: Trace) -> bool:
    """Whether every recorded array is the same to the last bit, times aside."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=getattr(a, name).dtype.kind == "f")
        for name in ARRAYS
        if name not in _MAY_DIFFER
    )


_HARMLESS = {"dgemma_viz", "python"}
"""Versions that do not change what a sampler computes."""

_UNRECORDED = (
    "No recorded fact differs. A trace does not hold weights, a cache that was passed to the call, stopping criteria "
    "or callbacks of its own, or other code that changed the model: one of these must differ"
)


def likely_causes(recorded: Trace, again: Trace) -> list[str]:
    """Sentences, most telling first; one that says what remains if no fact differs."""
    return list(_differing(recorded, again)) or [_UNRECORDED]


def _differing(recorded: Trace, again: Trace) -> Iterator[str]:
    old, new = recorded.facts, again.facts
    for what in ("model_class", "model_id", "device", "dtype"):
        if getattr(old, what) != getattr(new, what):
            words = what.replace("_", " ")
            yield f"The {words} is {getattr(new, what) or 'unknown'}, and was {getattr(old, what) or 'unknown'}"
    packages = sorted((old.versions.keys() | new.versions.keys()) - _HARMLESS)
    changed = [
        f"{name} {new.versions.get(name, 'missing')} instead of {old.versions.get(name, 'none')}"
        for name in packages
        if old.versions.get(name) != new.versions.get(name)
    ]
    if changed:
        yield f"Other versions: {', '.join(changed)}"
    settings = sorted(
        name for name in old.settings.keys() & new.settings.keys() if old.settings[name] != new.settings[name]
    )
    if settings:
        yield "Other settings: " + ", ".join(
            f"{name} {new.settings[name]}, was {old.settings[name]}" for name in settings
        )
    for trace, whose in ((recorded, "When it was recorded"), (again, "Now")):
        for notice in trace.facts.notices:
            yield f"{whose}: {notice.text.rstrip('.')}"
