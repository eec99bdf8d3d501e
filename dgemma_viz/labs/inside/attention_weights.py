"""Attention weights of one layer from what its attention function is given, whichever function that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from dgemma_viz.errors import SettingError


def attention_weights(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    mask: Any,
    *,
    sample: int,
    implementation: str,
    options: Mapping[str, Any],
) -> torch.Tensor:
    """With which share each position reads each token: float32 ``(heads, queries, keys)``; rows add up to 1.

    Where a position may read nothing (padding), its row is 0.

    Parameters
    ----------
    module
        The attention layer.
    query, key
        ``(B, heads, queries, d)`` and ``(B, key-value heads, keys, d)``, rotated, the cache's keys in front.
    mask
        As the function gets it: None, true where a token may be read, a number to add, or for flash attention which
        keys are no padding.
    sample
        Of the batch.
    implementation
        Which function it is.
    options
        The function's other arguments.

    Raises
    ------
    SettingError
        The function is given something that is not known here, so what it reads cannot be told.
    """
    if options.get("s_aux") is not None:
        raise SettingError(f"the attention of a {type(module).__name__} has sinks, which are not known here")
    queries, keys = query[sample].float(), key[sample].float()
    keys = keys.repeat_interleave(len(queries) // len(keys), dim=0)
    scale = options.get("scaling")
    scores = queries @ keys.transpose(1, 2) * (queries.shape[-1] ** -0.5 if scale is None else scale)
    if cap := options.get("softcap"):
        scores = torch.tanh(scores / cap) * cap
    if (bias := options.get("position_bias")) is not None:
        scores = scores + bias[min(sample, len(bias) - 1)].float()
    allowed, added = _allowed(module, mask, scores, sample, implementation, options)
    if added is not None:
        scores = scores + added
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -float("inf"))
    return torch.softmax(scores, dim=-1).nan_to_num(nan=0.0)


def _allowed(
    module: Any, mask: Any, scores: torch.Tensor, sample: int, implementation: str, options: Mapping[str, Any]
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """What may be read, and what is added to the scores; None for all and nothing."""
    queries, keys = scores.shape[-2:]
    shift = 0 if implementation == "sdpa" else keys - queries  # torch's own causal kernel counts from the first key
    place = torch.arange(queries, device=scores.device)[:, None] + shift
    other = torch.arange(keys, device=scores.device)[None, :]
    causal = options.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    if "flash" in implementation:
        allowed = (other <= place) if causal and queries > 1 else torch.ones_like(other <= place)
        window = options.get("sliding_window")
        if window and keys > window:  # inclusive, on both sides
            allowed = allowed & ((other - place).abs() < window)
        if mask is not None:
            allowed = allowed & mask[min(sample, len(mask) - 1)].bool()[None, :]
        return allowed, None
    if mask is None:
        unmasked = implementation == "eager" or not causal or queries == 1
        return (None, None) if unmasked else (other <= place, None)
    if implementation == "flex_attention" and hasattr(mask, "mask_mod"):
        from torch.nn.attention.flex_attention import create_mask

        dense = create_mask(mask.mask_mod, sample + 1, 1, queries, keys, device=str(scores.device))
        return dense[sample, 0], None
    if not isinstance(mask, torch.Tensor):
        raise SettingError(f"the attention mask is a {type(mask).__name__}, which is not known here")
    own = mask[min(sample, len(mask) - 1)][..., :keys]
    return (own, None) if own.dtype == torch.bool else (None, own.float())
