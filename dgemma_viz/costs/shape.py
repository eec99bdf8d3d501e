"""The sizes of a mixture-of-experts DiffusionGemma that its cost depends on; counted from the configuration of any.

Source keys, here and in the other modules: TF transformers 5.23 ``models/diffusion_gemma``; G google-deepmind/gemma; V
the vLLM blog of 2026-06-10 (its autoregressive and drafting figures are of gemma-4-26B-A4B, a sibling); VR
vllm-project/recipes; JV the Jarvislabs study of Gemma 4; project#number: an issue or pull request; calc: arithmetic
from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.upstream.transformers import name_or_path


def distinct_experts(experts: int, active: int, tokens: int) -> float:
    """Expected number of experts that ``tokens`` tokens touch, each routed to ``active`` at random (calculated)."""
    missed: float = (1 - active / experts) ** checked_range("tokens", tokens, whole=True)
    return experts * (1 - missed)


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
        return distinct_experts(self.experts, self.active_experts, tokens)

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


_BF16 = 2


def shape_of(config: Any) -> ModelShape:
    """Count weights, FLOPs and cache of a model.

    Norms and the self-conditioning MLP are left out, as in :data:`~dgemma_viz.costs.shape.RELEASED`: together they are
    below a thousandth of the released model's weights.

    Parameters
    ----------
    config
        A ``DiffusionGemmaConfig``: nothing of transformers is imported for it.

    Raises
    ------
    SettingError
        It is the configuration of another kind of model.
    """
    text: Any = getattr(config, "text_config", None)
    wanted = ("hidden_size", "layer_types", "num_experts", "top_k_experts", "moe_intermediate_size", "per_layer_config")
    missing = [name for name in wanted if getattr(text, name, None) is None]
    if missing or getattr(config, "canvas_length", None) is None:
        what = missing[0] if missing else "canvas_length"
        raise SettingError(f"this is not the configuration of a DiffusionGemma: it has no '{what}'. Give model.config")
    width, layers = text.hidden_size, len(text.layer_types)
    attention, cache = 0, {"sliding_attention": 0, "full_attention": 0}
    for number, kind in enumerate(text.layer_types):
        layer = text.per_layer_config[number]
        projections = 1 if kind == "full_attention" else 2  # full layers use the keys as values
        attention += width * layer.head_dim * (2 * layer.num_attention_heads + projections * layer.num_key_value_heads)
        cache[kind] += 2 * layer.num_key_value_heads * layer.head_dim * _BF16
    dense = attention + layers * width * (3 * text.intermediate_size + text.num_experts)
    experts = layers * text.num_experts * 3 * width * text.moe_intermediate_size
    head = text.vocab_size * width
    active = dense + experts * text.top_k_experts / text.num_experts + head
    return ModelShape(
        name=name_or_path(config) or "this model",
        dense_weights=dense,
        expert_weights=experts,
        experts=text.num_experts,
        active_experts=text.top_k_experts,
        head_weights=head,
        vocabulary=text.vocab_size,
        canvas=config.canvas_length,
        flops_per_token=2 * active,
        sliding_cache_bytes=cache["sliding_attention"],
        full_cache_bytes=cache["full_attention"],
        window=text.sliding_window,
    )
