"""What may make a repeated run part from the recorded one: what the facts of both say, else what no trace holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dgemma_viz.trace.model import Trace

_HARMLESS = {"dgemma_viz", "python"}
"""Versions that do not change what a sampler computes."""

_UNRECORDED = (
    "No recorded fact differs. A trace does not hold weights, a cache that was passed to the call, stopping criteria "
    "or callbacks of its own, or other code that changed the model: one of these must differ"
)


def suspects(recorded: Trace, again: Trace) -> list[str]:
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
        for warning in trace.facts.warnings:
            yield f"{whose}: {warning.rstrip('.')}"
