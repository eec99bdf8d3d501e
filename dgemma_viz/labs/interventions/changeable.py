"""Which parameters a running loop reads anew in each step, so that they can be changed in the middle of a run."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANGEABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "entropy_bound": ("entropy_bound", "t_min", "t_max", "stability_threshold", "confidence_threshold"),
        "entropy_bound_diffusers": ("entropy_bound", "t_min", "t_max"),
        "block_refinement": ("temperature", "threshold", "editing_threshold"),
        "discrete_ddim": ("temperature", "corrector_k", "corrector_selection"),
    }
)
"""Names by key of :data:`~dgemma_viz.labs.samplers.SAMPLERS`. The stop rule's are local variables of the pipeline."""
