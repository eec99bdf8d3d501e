"""The training loss: denoise one canvas, and predict the next token, with the same weights.

One call of the encoder over prompt and response, causal, gives the next-token loss and fills the cache. The decoder
then denoises canvas b, reading from the cache the prompt and the clean canvases strictly before b; reading b itself
would leak the answer. Upstream gets the same view by cropping the cache, for which all examples must share b; here b
differs within a batch, so masks do it. `tests/tiny/test_objective.py` compares this with upstream's own path.

Recipe: google-deepmind/gemma `gemma/diffusion`, NVIDIA-NeMo/Automodel dllm recipes, TRL `sft_diffusion_gemma.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from dgemma_viz.tiny.batches import Bucket, Draw, make_batch
from dgemma_viz.upstream.transformers import CACHE

_IGNORED = -100
"""Label that transformers' loss leaves out."""


def encoder_masks(is_token: torch.Tensor, window: int) -> dict[str, torch.Tensor]:
    """Causal masks for both kinds of layer, bool, (B, 1, S, S); padding is visible to itself only."""
    column = torch.arange(is_token.shape[1], device=is_token.device)
    distance = column[:, None] - column[None, :]
    causal = (distance >= 0) & is_token[:, None, None, :] | (distance == 0)
    return {"full_attention": causal, "sliding_attention": causal & (distance < window)}


def decoder_masks(
    is_token: torch.Tensor, block: torch.Tensor, *, prompt: int, canvas: int, canvases: int, window: int
) -> dict[str, torch.Tensor]:
    """Masks of the decoder, bool, (B, 1, C, K + C), with K cached columns: prompt and all canvases but the last.

    A canvas sees all of itself. Of the cache, full layers see everything before the canvas, sliding layers the last
    window - 1 columns (what upstream's sliding cache keeps).
    """
    cached = prompt + (canvases - 1) * canvas
    column = torch.arange(cached, device=is_token.device)
    start = (prompt + block * canvas)[:, None]
    before = (column < start) & is_token[:, :cached]
    near = before & (column > start - window)
    whole_canvas = torch.ones(len(block), 1, canvas, canvas, dtype=torch.bool, device=is_token.device)

    def widen(mask: torch.Tensor) -> torch.Tensor:
        return torch.cat([mask[:, None, None, :].expand(-1, 1, canvas, -1), whole_canvas], dim=-1)

    return {"full_attention": widen(before), "sliding_attention": widen(near)}


def losses(
    model: Any, batch: dict[str, torch.Tensor], *, prompt: int, answer: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the denoising loss and the next-token loss.

    `batch` holds the fields of a `Batch` by name; `prompt` and `answer` are the columns of prompt and response that
    the encoder reads (the rest of the last canvas is EOS fill, which only the decoder learns).

    Self-conditioning: the first half of the batch (its examples are independent) is denoised once without gradient
    and with no signal, and that prediction conditions the second pass; the other half gets no signal.
    """
    window = model.config.text_config.sliding_window
    noised, block = batch["noised"], batch["block"]
    canvas = noised.shape[1]
    canvases = (batch["tokens"].shape[1] - prompt) // canvas
    tokens, is_token, supervised = (batch[name][:, : prompt + answer] for name in ("tokens", "is_token", "supervised"))
    # A plain cache: with the model's config it would cut the sliding layers off at the end of the response.
    cache = DynamicCache()
    hidden = model.model.encoder(
        input_ids=tokens, attention_mask=encoder_masks(is_token, window), **{CACHE: cache}
    ).last_hidden_state
    next_token_loss = _next_token_loss(model, hidden, tokens, supervised, prompt)

    cached = prompt + (canvases - 1) * canvas
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, :cached], layer.values[:, :, :cached]
    masks = decoder_masks(is_token, block, prompt=prompt, canvas=canvas, canvases=canvases, window=window)
    position = prompt + block[:, None] * canvas + torch.arange(canvas, device=block.device)

    half = len(noised) // 2
    with torch.no_grad():
        first = model(
            **{CACHE: _first_rows(cache, half)},
            decoder_input_ids=noised[:half],
            decoder_attention_mask={kind: mask[:half] for kind, mask in masks.items()},
            decoder_position_ids=position[:half],
        ).logits
    conditioned = torch.arange(len(noised), device=noised.device) < half
    logits = model(
        **{CACHE: cache},
        decoder_input_ids=noised,
        decoder_attention_mask=masks,
        decoder_position_ids=position,
        self_conditioning_logits=torch.cat([first, first.new_zeros(len(noised) - half, *first.shape[1:])]),
        self_conditioning_mask=conditioned,
    ).logits
    clean = batch["tokens"].gather(1, position)
    return cross_entropy(logits.flatten(0, 1).float(), clean.flatten()), next_token_loss


def _first_rows(cache: DynamicCache, rows: int) -> DynamicCache:
    part = DynamicCache()
    for index, layer in enumerate(cache.layers):
        part.update(layer.keys[:rows].detach(), layer.values[:rows].detach(), index)
    return part


def _next_token_loss(
    model: Any, hidden: torch.Tensor, tokens: torch.Tensor, supervised: torch.Tensor, prompt: int
) -> torch.Tensor:
    """Mean cross-entropy of the soft-capped tied head over the response, up to and with its first EOS."""
    cap = model.config.text_config.final_logit_softcapping
    logits = cap * torch.tanh(model.lm_head(hidden[:, prompt - 1 : -1]).float() / cap)
    each = cross_entropy(logits.flatten(0, 1), tokens[:, prompt:].flatten(), reduction="none")
    weight = supervised[:, prompt:].flatten().float()
    return (each * weight).sum() / weight.sum()


def diffusion_losses(
    model: Any, tokenizer: Any, bucket: Bucket, draw: Draw, share: Callable[[Any], Any]
) -> dict[str, torch.Tensor]:
    """Both losses over a worker's share of a batch."""
    batch = {
        name: torch.from_numpy(share(array)) for name, array in asdict(make_batch(bucket, tokenizer, draw)).items()
    }
    denoising, next_token = losses(model, batch, prompt=bucket.prompt_length, answer=bucket.answer_length)
    return {"denoising": denoising, "next token": next_token}


def causal_losses(
    model: Any, tokenizer: Any, bucket: Bucket, draw: Draw, share: Callable[[Any], Any]
) -> dict[str, torch.Tensor]:
    """Next-token loss of a causal model over the answers of a worker's share of a batch."""
    batch = make_batch(bucket, tokenizer, draw)
    tokens, supervised, mask = (
        torch.from_numpy(share(array)) for array in (batch.tokens, batch.supervised, batch.is_token)
    )
    labels = tokens.masked_fill(~supervised, _IGNORED)
    positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
    return {"next token": model(tokens, attention_mask=mask, position_ids=positions, labels=labels).loss}
