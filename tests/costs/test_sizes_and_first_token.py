"""Sizes counted from a configuration are the model's; the first token waits for the prompt, and for a canvas."""

import pytest
from transformers import DiffusionGemmaConfig, DiffusionGemmaTextConfig, LlamaConfig

import dgemma_viz as dv
from dgemma_viz.costs import (
    CALIBRATED,
    FORMATS,
    HARDWARE,
    RELEASED,
    diffusion,
    prefill_pass,
    shape_of,
    time_to_first_token,
)
from dgemma_viz.errors import SettingError

H100, FP8 = HARDWARE["H100 SXM"], FORMATS["FP8"]


def test_the_bundled_models_weights_are_counted_right():
    model, _ = dv.load_tiny()
    shape = shape_of(model.config)
    text = {name: p for name, p in model.named_parameters() if "vision" not in name}
    experts = sum(p.numel() for name, p in text.items() if ".experts." in name)
    left_out = ("norm", "self_conditioning", "experts.", "embed", "lm_head", "scale")
    dense = sum(p.numel() for name, p in text.items() if not any(part in name for part in left_out))
    assert (shape.expert_weights, shape.dense_weights) == (experts, dense)
    assert (shape.canvas, shape.name) == (48, "dgemma-viz-tiny")


def test_the_released_sizes_come_out_of_its_configuration():
    """The class's defaults are not the released model's: every field that counts is set (G)."""
    text = DiffusionGemmaTextConfig(
        vocab_size=262_144,
        hidden_size=2816,
        intermediate_size=2112,
        num_hidden_layers=30,
        layer_types=[*["sliding_attention"] * 5, "full_attention"] * 5,
        num_attention_heads=16,
        num_key_value_heads=8,
        num_global_key_value_heads=2,
        head_dim=256,
        global_head_dim=512,
        sliding_window=1024,
        num_experts=128,
        top_k_experts=8,
        moe_intermediate_size=704,
    )
    shape = shape_of(DiffusionGemmaConfig(text_config=text, canvas_length=256))
    for name in ("dense_weights", "expert_weights", "head_weights", "flops_per_token"):
        assert getattr(shape, name) == pytest.approx(getattr(RELEASED, name), rel=0.02), name
    for name in (
        "experts",
        "active_experts",
        "vocabulary",
        "canvas",
        "sliding_cache_bytes",
        "full_cache_bytes",
        "window",
    ):
        assert getattr(shape, name) == getattr(RELEASED, name), name


def test_another_kind_of_model_is_refused():
    with pytest.raises(SettingError, match="not the configuration of a DiffusionGemma"):
        shape_of(LlamaConfig())


def test_the_first_token_waits_for_prompt_and_canvas():
    efficiency = CALIBRATED["autoregressive"]
    canvas = diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=16)
    short, long = (time_to_first_token(RELEASED, FP8, H100, efficiency, prompt=tokens) for tokens in (128, 16384))
    assert long > 2 * short
    whole = time_to_first_token(RELEASED, FP8, H100, efficiency, prompt=128, canvas=canvas)
    assert whole == pytest.approx(short + canvas.milliseconds_per_unit)
    with pytest.raises(SettingError, match="prompt"):
        time_to_first_token(RELEASED, FP8, H100, efficiency, prompt=0)


def test_a_prompt_touches_every_expert_and_needs_the_head_once():
    one = prefill_pass(RELEASED, FP8, prompt=1)
    many = prefill_pass(RELEASED, FP8, prompt=1000)
    assert one.flops == RELEASED.flops_per_token
    assert many.flops == pytest.approx(1000 * RELEASED.flops_per_token - 999 * 2 * RELEASED.head_weights)
    assert many.bytes == pytest.approx(1.66e9 + 22.84e9 + 2 * RELEASED.head_weights, rel=1e-3)
