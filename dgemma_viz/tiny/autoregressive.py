"""The bundled model as an autoregressive one: its causal encoder and tied, soft-capped head, one token at a time.

`transformers` offers no such loop for this class, so this one is ours. It uses the same weights as `generate()`.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache

from dgemma_viz.upstream.transformers import CACHE


def greedy_decode(model: Any, inputs: dict[str, torch.Tensor], *, max_new_tokens: int) -> torch.Tensor:
    """Append the likeliest token until every row has ended.

    Parameters
    ----------
    model
        A `DiffusionGemmaForBlockDiffusion`.
    inputs
        `input_ids` and `attention_mask`, (rows, prompt), padded on the left.
    max_new_tokens
        Longest answer.

    Returns
    -------
    torch.Tensor
        New tokens (rows, length), filled with the pad token after each row's end-of-sequence token.
    """
    config = model.config.text_config
    tokens, mask = inputs["input_ids"], inputs["attention_mask"].bool()
    cache = DynamicCache(config=config)
    ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    new: list[torch.Tensor] = []
    with torch.no_grad():
        while len(new) < max_new_tokens and not bool(ended.all()):
            output = model.model.encoder(input_ids=tokens, attention_mask=mask, **{CACHE: cache})
            # The soft cap is monotonic, so it would not change the greedy choice.
            best = model.lm_head(output.last_hidden_state[:, -1]).argmax(-1)
            best = torch.where(ended, config.pad_token_id, best)
            ended |= best == config.eos_token_id
            new.append(best)
            tokens = best[:, None]
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    return torch.stack(new, dim=1)
