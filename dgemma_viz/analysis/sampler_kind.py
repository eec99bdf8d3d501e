"""What kind of sampler made a trace: which rules it follows, and in which words to speak of it."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.facts import KIND_OF_NAME
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
    """A sampler of its own kind."""

    @property
    def of_the_pipeline(self) -> bool:
        """Whether it is known to denoise DiffusionGemma's canvases."""
        return self in {self.ENTROPY_BOUND, self.BLOCK_REFINEMENT, self.DISCRETE_DDIM}


_CLAIMED = {
    "entropy-bound": SamplerKind.ENTROPY_BOUND,
    "mask-token": SamplerKind.MASKED,
    "block-refinement": SamplerKind.BLOCK_REFINEMENT,
    "discrete-ddim": SamplerKind.DISCRETE_DDIM,
    "autoregressive": SamplerKind.CAUSAL,
    "other": SamplerKind.OTHER,
}
"""Values of :attr:`~dgemma_viz.trace.model.RunFacts.sampler_kind`."""


def sampler_kind(trace: Trace) -> SamplerKind:
    """The kind: what the trace claims; where it claims nothing, what :func:`inferred_from` says."""
    return _CLAIMED.get(trace.facts.sampler_kind) or _inferred(trace)[0]


def inferred_from(trace: Trace) -> str:
    """What the kind is inferred from, as the end of a sentence; empty where the trace claims one itself."""
    return "" if trace.facts.sampler_kind in _CLAIMED else _inferred(trace)[1]


def _inferred(trace: Trace) -> tuple[SamplerKind, str]:
    """A sampler of unknown name that has an entropy bound counts as a port of the entropy-bound sampler."""
    name = trace.facts.sampler
    known = _CLAIMED.get(KIND_OF_NAME.get(name, ""))
    if trace.facts.mask_token_id is not None and known is not SamplerKind.CAUSAL:
        return SamplerKind.MASKED, "its mask token"
    if known:
        return known, f"its name, '{name}'"
    if not name:  # held against the reference
        return SamplerKind.ENTROPY_BOUND, "the trace names none"
    if "entropy_bound" in trace.facts.settings or np.isfinite(trace.entropy_bound).any():
        return SamplerKind.ENTROPY_BOUND, "its entropy bound"
    return SamplerKind.OTHER, "its name, which is no known one"


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
    told = trace.facts.task.interventions
    return frozenset(str(one["kind"]) for one in told if isinstance(one, dict) and "kind" in one)
