"""What is used of diffusers that is not documented for everyone, as of 0.42; and its pipelines and schedulers.

Any class of diffusers may be asked of this module, and is imported then: ``upstream.diffusers.LLaDA2Pipeline``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

PREPARE_PROMPT: Final = "_prepare_inputs"
"""Of ``DiffusionGemmaPipeline``: gives the prompt and its mask."""
PREPARE_IDS: Final = "_prepare_input_ids"
"""Of ``LLaDA2Pipeline``: the same."""
SELECT_POSITIONS: Final = "_select_positions"
"""Of ``DiscreteDDIMScheduler``: which positions a corrector sweep resamples."""


def __getattr__(name: str) -> Any:
    """A public name of diffusers."""
    if name.startswith("_") and name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import diffusers

    return getattr(diffusers, name)


def execution_device(pipeline: Any) -> torch.device:
    """Where a pipeline runs its model, hooks of accelerate included."""
    import torch

    return torch.device(pipeline._execution_device)


def committed(scheduler: Any) -> torch.Tensor | None:
    """Positions that a ``BlockRefinementScheduler`` without a mask token has committed, bool ``(B, C)``.

    None before its first step, and for other schedulers.
    """
    found: torch.Tensor | None = getattr(scheduler, "_committed", None)
    return found


def set_committed(scheduler: Any, positions: torch.Tensor) -> None:
    """Let a ``BlockRefinementScheduler`` take these positions for committed, bool ``(B, C)``."""
    scheduler._committed = positions


def filtered(scheduler: Any, logits: torch.Tensor, *, top_k: int | None, top_p: float | None) -> torch.Tensor:
    """Logits as ``BlockRefinementScheduler`` samples from them, behind its filters."""
    kept: torch.Tensor = scheduler._top_p_filtering(scheduler._top_k_filtering(logits, top_k=top_k), top_p=top_p)
    return kept


@contextmanager
def changed_config(scheduler: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Other values in a scheduler's config for a while; it is frozen, so the scheduler gets another one."""
    before = scheduler._internal_dict
    scheduler.register_to_config(**values)
    try:
        yield
    finally:
        scheduler._internal_dict = before
