"""The bundled drafter: a causal model of one layer that guesses what the bundled model will write next.

It is to the bundled model what a small assistant model is to a large one in speculative decoding (arXiv 2211.17192):
an ordinary ``LlamaForCausalLM`` with the same tokenizer. ``python -m dgemma_viz.tiny.drafter.train`` made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgemma_viz.tiny.drafter.loading import load_tiny_drafter

__all__ = ["load_tiny_drafter"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name == "load_tiny_drafter":
        from dgemma_viz.tiny.drafter.loading import load_tiny_drafter

        return load_tiny_drafter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
