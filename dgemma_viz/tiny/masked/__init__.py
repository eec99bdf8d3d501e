"""The bundled mask-token model: a bidirectional transformer of a million parameters for diffusers' ``LLaDA2Pipeline``.

:func:`load_tiny_masked` gives model and tokenizer. It exists so that everything which is said about mask-token
diffusion (unmasking in order of confidence, blocks, editing) can be watched on a laptop, next to the bundled
DiffusionGemma, which has no mask token. It knows three of the same tasks: ``MASKED_TASKS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgemma_viz.tiny.masked.loading import load_tiny_masked

MASKED_TASKS = ("sudoku", "addition", "sort")
"""Names, in :data:`dgemma_viz.tiny.tasks.TASKS`, of the tasks that the model was trained on."""

__all__ = ["MASKED_TASKS", "load_tiny_masked"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name == "load_tiny_masked":
        from dgemma_viz.tiny.masked.loading import load_tiny_masked

        return load_tiny_masked
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
