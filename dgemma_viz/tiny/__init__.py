"""The bundled model, a DiffusionGemma of 1.1 million parameters that runs on any laptop, and the tasks it knows.

`load_tiny()` gives model and tokenizer; `encode_prompt(tokenizer, prompt)` gives what `model.generate()` wants and
refuses bad prompts; `tiny.tasks` draws prompts and judges answers. Importing these two imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgemma_viz.tiny.loading import load_tiny
    from dgemma_viz.tiny.tokenizer import encode_prompt

__all__ = ["encode_prompt", "load_tiny"]

_HOMES = {"encode_prompt": "dgemma_viz.tiny.tokenizer", "load_tiny": "dgemma_viz.tiny.loading"}


def __getattr__(name: str) -> Any:
    """Import the parts that need torch on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
