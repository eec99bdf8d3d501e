"""The bundled model, a DiffusionGemma of 1.1 million parameters that runs on any laptop, and the tasks it knows.

`load_tiny()` gives model and tokenizer; `encode_prompt(tokenizer, prompt)` gives what `model.generate()` wants and
refuses bad prompts; `tiny.tasks` draws prompts and judges answers. Importing these two imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgemma_viz.tiny.loading import load_tiny
    from dgemma_viz.tiny.tokenizer import encode_prompt

__all__ = ["encode_prompt", "load_tiny"]


def __getattr__(name: str) -> Any:
    """Import the parts that need torch on first use."""
    if name == "load_tiny":
        from dgemma_viz.tiny.loading import load_tiny

        return load_tiny
    if name == "encode_prompt":
        from dgemma_viz.tiny.tokenizer import encode_prompt

        return encode_prompt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
