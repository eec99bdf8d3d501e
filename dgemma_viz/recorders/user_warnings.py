"""What the recorder tells the user beside the trace: warning categories, attributed to the user's own line."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("dgemma_viz.recorders", "transformers", "diffusers", "torch", "contextlib")


class RecorderWarning(UserWarning):
    """The recording is less than was asked for; the generation itself is not affected."""


class StaleSamplerWarning(RecorderWarning):
    """A sampler compiled by an earlier call runs in place of the one asked for."""


def warn_user(text: str, category: type[Warning] = RecorderWarning) -> None:
    """Warn, pointing at the nearest caller outside this layer and the libraries that it hooks."""
    warnings.warn(text, category, stacklevel=_levels_inside() + 1)


def _levels_inside() -> int:
    """Frames from :func:`warn_user` up to the first that belongs to the user."""
    levels, frame = 1, sys._getframe(2)  # inspect.stack() would read every source file
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not any(module == name or module.startswith(f"{name}.") for name in _INSIDE):
            break
        levels, frame = levels + 1, frame.f_back
    return levels
