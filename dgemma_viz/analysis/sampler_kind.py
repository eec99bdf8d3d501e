"""What kind of sampler made a trace: which rules it follows, and in which words to speak of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.trace.decision import Phase

if TYPE_CHECKING:
    import numpy.typing as npt

    from dgemma_viz.trace.model import Trace


class SamplerKind(StrEnum):
    """Kinds of samplers, each in the words that name it in a sentence."""

    ENTROPY_BOUND = "the entropy-bound sampler"
    """transformers' ``EntropyBoundSampler``, diffusers' ``EntropyBoundScheduler``, and other runtimes' ports of it."""
    BLOCK_REFINEMENT = "block refinement"
    """diffusers' ``BlockRefinementScheduler`` with uniform noise."""
    DISCRETE_DDIM = "discrete DDIM"
    """diffusers' ``DiscreteDDIMScheduler``."""
    CAUSAL = "left-to-right decoding"
    """transformers' ``generate()`` of a causal model: autoregressive, or drafted and verified."""
    MASKED = "a mask-token sampler"
    """Any sampler of a model with a mask token."""
    OTHER = "another sampler"
    """A sampler that has a name of its own."""

    @property
    def of_the_pipeline(self) -> bool:
        """Whether it is known to denoise DiffusionGemma's canvases."""
        return self in {self.ENTROPY_BOUND, self.BLOCK_REFINEMENT, self.DISCRETE_DDIM}


_KINDS = {
    "": SamplerKind.ENTROPY_BOUND,  # a runtime's log that names none is held against the reference
    "EntropyBoundSampler": SamplerKind.ENTROPY_BOUND,
    "EntropyBoundScheduler": SamplerKind.ENTROPY_BOUND,
    "BlockRefinementScheduler": SamplerKind.BLOCK_REFINEMENT,
    "DiscreteDDIMScheduler": SamplerKind.DISCRETE_DDIM,
    "autoregressive": SamplerKind.CAUSAL,
    "speculative": SamplerKind.CAUSAL,
}


def sampler_kind(trace: Trace) -> SamplerKind:
    """The kind; a sampler of unknown name that has an entropy bound counts as a port of the entropy-bound sampler."""
    known = _KINDS.get(trace.facts.sampler)
    if trace.facts.mask_token_id is not None and known is not SamplerKind.CAUSAL:
        return SamplerKind.MASKED
    if known:
        return known
    has_bound = "entropy_bound" in trace.facts.settings or bool(np.isfinite(trace.entropy_bound).any())
    return SamplerKind.ENTROPY_BOUND if has_bound else SamplerKind.OTHER


def predicted(trace: Trace) -> npt.NDArray[np.bool_]:
    """Positions of which a step says something, ``(S, B, C)``: its canvas's, except where decoding goes left to right.

    There a pass predicts what it writes, and what follows drafted tokens; before and after it, nothing is computed.
    """
    inside = np.broadcast_to(trace.in_canvas[:, None, :], trace.noised.shape)
    if sampler_kind(trace) is not SamplerKind.CAUSAL:
        return inside
    known = trace.accepted | np.isfinite(trace.confidence) | (trace.noised != trace.facts.mask_token_id)
    return np.asarray(inside & known)


def has_sweeps(trace: Trace) -> bool:
    """Whether decoder passes other than denoising steps (corrector sweeps, editing passes) are among its steps."""
    return bool((trace.phase != Phase.DENOISE).any())


def intervened_with(trace: Trace) -> frozenset[str]:
    """Kinds of interventions that the run was made with: class names of :mod:`dgemma_viz.labs.interventions`."""
    told = trace.facts.task.get("interventions")
    if not isinstance(told, list | tuple):
        return frozenset()
    return frozenset(str(one["kind"]) for one in told if isinstance(one, dict) and "kind" in one)
