"""The training objective sees exactly what upstream's own forward pass sees."""

from dataclasses import replace

import torch
from transformers import DynamicCache

from dgemma_viz.tiny.architecture import CANVAS_LENGTH, MAX_CANVASES, fresh_model
from dgemma_viz.tiny.batches import Draw, make_batch
from dgemma_viz.tiny.courses import COURSES
from dgemma_viz.tiny.experts import use_dense_experts
from dgemma_viz.tiny.losses import decoder_masks, encoder_masks
from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.upstream.transformers import CACHE

LONG = replace(COURSES["diffusion"].schedule.phase(0).buckets[-1], examples=8)


def _long_batch():
    batch = make_batch(LONG, build_tokenizer(), Draw(seed=5, step=0, index=2))
    names = ("tokens", "is_token", "supervised", "block", "noised")
    return {name: torch.from_numpy(getattr(batch, name)) for name in names}


def test_masked_decoder_equals_upstreams_prefix_by_prefix_path():
    torch.manual_seed(0)
    model = fresh_model().eval()
    window, prompt = model.config.text_config.sliding_window, LONG.prompt_length
    batch = _long_batch()
    assert set(batch["block"].tolist()) == set(range(MAX_CANVASES)), "choose a seed that covers every canvas"
    with torch.no_grad():
        cache = DynamicCache()
        model.model.encoder(
            input_ids=batch["tokens"],
            attention_mask=encoder_masks(batch["is_token"], window),
            **{CACHE: cache},
        )
        cached = prompt + (MAX_CANVASES - 1) * CANVAS_LENGTH
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys[:, :, :cached], layer.values[:, :, :cached]
        ours = model(
            **{CACHE: cache},
            decoder_input_ids=batch["noised"],
            decoder_position_ids=prompt + batch["block"][:, None] * CANVAS_LENGTH + torch.arange(CANVAS_LENGTH),
            decoder_attention_mask=decoder_masks(
                batch["is_token"], batch["block"], prompt=prompt, canvas=CANVAS_LENGTH, canvases=MAX_CANVASES,
                window=window,
            ),
        ).logits  # fmt: skip
        for row, block in enumerate(batch["block"].tolist()):
            # As generate() does: no padding, encode the prompt, then each finished canvas, then denoise the next.
            real = batch["tokens"][row][batch["is_token"][row]][None]
            length = int(batch["is_token"][row, :prompt].sum())
            prefix = DynamicCache(config=model.config.text_config)
            model.model.encoder(input_ids=real[:, :length], **{CACHE: prefix})
            for done in range(block):
                start = length + done * CANVAS_LENGTH
                model.model.encoder(input_ids=real[:, start : start + CANVAS_LENGTH], **{CACHE: prefix})
            theirs = model(
                **{CACHE: prefix},
                decoder_input_ids=batch["noised"][row : row + 1],
                decoder_position_ids=length + block * CANVAS_LENGTH + torch.arange(CANVAS_LENGTH)[None],
            ).logits
            torch.testing.assert_close(ours[row], theirs[0], atol=2e-4, rtol=2e-4)


def test_dense_experts_equal_upstreams_experts():
    torch.manual_seed(0)
    model = fresh_model().eval()
    inputs = torch.randint(4, 90, (2, 20))
    canvas = torch.randint(4, 90, (2, CANVAS_LENGTH))
    with torch.no_grad():
        model.set_experts_implementation("eager")
        eager = model(input_ids=inputs, decoder_input_ids=canvas).logits
        use_dense_experts(model)
        dense = model(input_ids=inputs, decoder_input_ids=canvas).logits
    torch.testing.assert_close(dense, eager, atol=1e-4, rtol=1e-4)


def test_decoder_never_sees_the_canvas_it_denoises():
    batch = _long_batch()
    masks = decoder_masks(
        batch["is_token"],
        batch["block"],
        prompt=LONG.prompt_length,
        canvas=CANVAS_LENGTH,
        canvases=MAX_CANVASES,
        window=64,
    )
    for row, block in enumerate(batch["block"].tolist()):
        start = LONG.prompt_length + block * CANVAS_LENGTH
        for mask in masks.values():
            assert not mask[row, 0, :, start:-CANVAS_LENGTH].any()
