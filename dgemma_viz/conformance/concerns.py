"""Whose rule a rule is: samplers and libraries that are meant to keep it. Others are not judged by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind

if TYPE_CHECKING:
    from dgemma_viz.conformance.evidence import Evidence

Concern = Callable[["Evidence"], bool]


def everyone(_evidence: Evidence) -> bool:
    """Any sampler."""
    return True


def kinds(*of: SamplerKind) -> Concern:
    """Samplers of some kinds."""
    return lambda evidence: sampler_kind(evidence.trace) in of


def block_refinement(evidence: Evidence) -> bool:
    """Diffusers' scheduler of that name, with uniform noise or with a mask token."""
    return evidence.trace.facts.sampler == "BlockRefinementScheduler"


def diffusers(evidence: Evidence) -> bool:
    """Runs of diffusers' pipelines."""
    return evidence.settings.get("library") == "diffusers"


def left_canvas(evidence: Evidence) -> bool:
    """Samplers that emit the canvas which the last step leaves, and not its draft."""
    return diffusers(evidence) or sampler_kind(evidence.trace) is SamplerKind.MASKED


def generate(evidence: Evidence) -> bool:
    """Transformers' ``generate()`` and its ports."""
    return reference(evidence) and not diffusers(evidence)


reference = kinds(SamplerKind.ENTROPY_BOUND)
"""The entropy-bound sampler."""
uniform = kinds(SamplerKind.ENTROPY_BOUND, SamplerKind.BLOCK_REFINEMENT, SamplerKind.DISCRETE_DDIM)
"""Samplers of DiffusionGemma, whose noise is random tokens."""
