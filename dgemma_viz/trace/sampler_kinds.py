"""What a sampler may claim to be, and what libraries' own samplers are."""

from __future__ import annotations

SAMPLER_KINDS = ("entropy-bound", "mask-token", "block-refinement", "discrete-ddim", "autoregressive", "other")
"""Values of :attr:`~dgemma_viz.trace.model.RunFacts.sampler_kind`: DiffusionGemma's reference sampler or a port of it;
any sampler of a model with a mask token; diffusers' two other schedulers for uniform noise; left to right; none of
these."""

KIND_OF_NAME = {
    "EntropyBoundSampler": "entropy-bound",
    "EntropyBoundScheduler": "entropy-bound",
    "BlockRefinementScheduler": "block-refinement",
    "DiscreteDDIMScheduler": "discrete-ddim",
    "autoregressive": "autoregressive",
    "speculative": "autoregressive",
}
"""Kinds of samplers by the names that recorders give them; a class of the user's own is not known to be any."""
