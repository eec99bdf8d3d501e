"""The sizes of any DiffusionGemma, counted from its configuration (TF ``modeling_diffusion_gemma``)."""

from __future__ import annotations

from typing import Any

from dgemma_viz.costs.shape import ModelShape
from dgemma_viz.errors import SettingError
from dgemma_viz.upstream.transformers import name_or_path

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
