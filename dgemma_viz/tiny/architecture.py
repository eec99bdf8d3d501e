"""The shape of the bundled model: DiffusionGemma in small, with every part of the large one present.

Same class, same code path as `google/diffusiongemma-26B-A4B-it`: an encoder and a decoder with tied weights, sliding
and full attention layers, a mixture of experts beside a dense MLP, self-conditioning, a soft-capped tied head, and
(because the class insists) a vision tower, here of one layer and width 16 and never used.
"""

from __future__ import annotations

from typing import Any

from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, PAD_ID, vocabulary
from dgemma_viz.upstream.transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaGenerationConfig,
    DiffusionGemmaTextConfig,
    EntropyBoundSamplerConfig,
    Gemma4VisionConfig,
)

CANVAS_LENGTH = 48
MAX_CANVASES = 3
SLIDING_WINDOW = 64
_WIDTH = 128
_LAYERS = ("sliding_attention", "full_attention") * 2


def tiny_config() -> DiffusionGemmaConfig:
    """Return the configuration: 1.1 M text parameters, canvas of 48 tokens."""
    rope = {"rope_type": "default", "rope_theta": 10_000.0}
    text: dict[str, Any] = {
        "vocab_size": len(vocabulary()),
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": len(_LAYERS),
        "layer_types": list(_LAYERS),
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "num_global_key_value_heads": 4,
        "head_dim": 32,
        "global_head_dim": 32,
        "sliding_window": SLIDING_WINDOW,
        "max_position_embeddings": 1024,
        "rope_parameters": {"sliding_attention": rope, "full_attention": dict(rope)},
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 64,
        # Unit variance through every projection and unit size for embeddings, which upstream scales by sqrt(width).
        "initializer_range": _WIDTH**-0.5,
        "pad_token_id": PAD_ID,
        "eos_token_id": EOS_ID,
        "bos_token_id": BOS_ID,
    }
    vision = Gemma4VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=16,
        global_head_dim=16,
        position_embedding_size=16,
    )
    return DiffusionGemmaConfig(
        text_config=DiffusionGemmaTextConfig(**text),
        vision_config=vision,
        canvas_length=CANVAS_LENGTH,
        initializer_range=_WIDTH**-0.5,
        # Outside the vocabulary: no text token may be taken for an image.
        boi_token_id=len(vocabulary()),
        image_token_id=len(vocabulary()) + 1,
        eoi_token_id=len(vocabulary()) + 2,
    )


def tiny_generation_config() -> DiffusionGemmaGenerationConfig:
    """Return the released model's sampler settings (transformers 5.23.0), with this model's ids and lengths."""
    return DiffusionGemmaGenerationConfig(
        max_new_tokens=MAX_CANVASES * CANVAS_LENGTH,
        max_denoising_steps=48,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=0.1),
        t_min=0.4,
        t_max=0.8,
        stability_threshold=1,
        confidence_threshold=0.005,
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        bos_token_id=BOS_ID,
    )


def fresh_model() -> DiffusionGemmaForBlockDiffusion:
    """Make an untrained model from torch's current random state."""
    model = DiffusionGemmaForBlockDiffusion(tiny_config())
    model.generation_config = tiny_generation_config()
    return model
