"""The sizes of a mixture-of-experts DiffusionGemma that its cost depends on.

Source keys, here and in the other modules: TF transformers 5.23 ``models/diffusion_gemma``; G google-deepmind/gemma; V
the vLLM blog of 2026-06-10 (its autoregressive and drafting figures are of gemma-4-26B-A4B, a sibling); VR
vllm-project/recipes; JV the Jarvislabs study of Gemma 4; project#number: an issue or pull request; calc: arithmetic
from these.
"""

from __future__ import annotations

from dataclasses import dataclass

from dgemma_viz.range_check import checked_range


@dataclass(frozen=True)
class ModelShape:
    """Sizes; weights are counts, not bytes.

    Attributes
    ----------
    name
        Model.
    dense_weights
        Read by every pass: attention, dense MLPs, norms, routers.
    expert_weights
        All experts of all layers together.
    experts, active_experts
        Per layer, and how many of them a token goes through.
    head_weights
        Output head, tied to the embedding; kept in BF16.
    vocabulary, canvas
        Tokens.
    flops_per_token
        Of a decoder pass, head included, attention over the cache not.
    sliding_cache_bytes, full_cache_bytes, window
        Key-value cache of a token in BF16, over all sliding and all full layers; sliding layers keep ``window`` tokens.
    """

    name: str
    dense_weights: float
    expert_weights: float
    experts: int
    active_experts: int
    head_weights: float
    vocabulary: int
    canvas: int
    flops_per_token: float
    sliding_cache_bytes: float
    full_cache_bytes: float
    window: int

    def distinct_experts(self, tokens: int) -> float:
        """Experts of a layer that so many tokens touch, were they routed at random (calc).

        ``experts * (1 - (1 - active / experts) ** tokens)``.
        """
        missed: float = (1 - self.active_experts / self.experts) ** checked_range("tokens", tokens, whole=True)
        return self.experts * (1 - missed)

    def cache_bytes(self, context: float) -> float:
        """Key-value cache of one sequence of a length, in BF16."""
        context = checked_range("a context", context)
        return self.sliding_cache_bytes * min(context, self.window) + self.full_cache_bytes * context


RELEASED = ModelShape(
    name="google/diffusiongemma-26B-A4B-it",
    dense_weights=1.66e9,
    expert_weights=22.84e9,
    experts=128,
    active_experts=8,
    head_weights=262_144 * 2816,
    vocabulary=262_144,
    canvas=256,
    flops_per_token=7.64e9,
    sliding_cache_bytes=204_800,
    full_cache_bytes=20_480,
    window=1024,
)
"""26B-A4B: sizes from G, weights and FLOPs calc."""
