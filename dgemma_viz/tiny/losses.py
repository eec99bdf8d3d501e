"""The two losses of the published recipe, and what each position may see.

Recipe: google-deepmind/gemma `gemma/diffusion`, NVIDIA-NeMo/Automodel dllm recipes, TRL `sft_diffusion_gemma.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from dgemma_viz.upstream.transformers import CACHE


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


def denoising_loss(
    model: Any,
    cache: DynamicCache,
    noised: torch.Tensor,
    clean: torch.Tensor,
    masks: dict[str, torch.Tensor],
    position: torch.Tensor,
) -> torch.Tensor:
    """Mean cross-entropy of the clean tokens, given the noised ones: all (B, C), as are the positions.

    Self-conditioning: the first half of the batch (its examples are independent) is denoised once without gradient
    and with no signal, and that prediction conditions the second pass; the other half gets no signal.
    """
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
    return cross_entropy(logits.flatten(0, 1).float(), clean.flatten())


def _first_rows(cache: DynamicCache, rows: int) -> DynamicCache:
    part = DynamicCache()
    for index, layer in enumerate(cache.layers):
        part.update(layer.keys[:rows].detach(), layer.values[:rows].detach(), index)
    return part


def next_token_loss(
    model: Any, hidden: torch.Tensor, tokens: torch.Tensor, supervised: torch.Tensor, prompt: int
) -> torch.Tensor:
    """Mean cross-entropy of the soft-capped tied head where `supervised` is true, behind the prompt's columns."""
    cap = model.config.text_config.final_logit_softcapping
    logits = cap * torch.tanh(model.lm_head(hidden[:, prompt - 1 : -1]).float() / cap)
    each = cross_entropy(logits.flatten(0, 1), tokens[:, prompt:].flatten(), reduction="none")
    weight = supervised[:, prompt:].flatten().float()
    return (each * weight).sum() / weight.sum()
