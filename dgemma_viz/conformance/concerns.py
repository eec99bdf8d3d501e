"""Whose rule a rule is: samplers and libraries that are meant to keep it. Others are not judged by it."""

from __future__ import annotations

from collections.abc import Callable

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.conformance.evidence import Evidence

Concern = Callable[["Evidence"], bool]


def everyone(_evidence: Evidence) -> bool:
    """Any sampler."""
    return True


def ruled_out(evidence: Evidence) -> bool:
    """Runs in which tokens were ruled out."""
    return evidence.trace.banned is not None


def kinds(*of: SamplerKind) -> Concern:
    """Samplers of some kinds."""
    return lambda evidence: sampler_kind(evidence.trace) in of


def block_refinement(evidence: Evidence) -> bool:
    """Diffusers' scheduler of that name, with uniform noise or with a mask token."""
    kind = sampler_kind(evidence.trace)
    of_the_name = evidence.trace.facts.sampler == "BlockRefinementScheduler"
    return kind is SamplerKind.BLOCK_REFINEMENT or (kind is SamplerKind.MASKED and of_the_name)


def diffusers(evidence: Evidence) -> bool:
    """Runs of diffusers' pipelines with a sampler of its own."""
    return evidence.settings.get("library") == "diffusers" and sampler_kind(evidence.trace) is not SamplerKind.OTHER


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
