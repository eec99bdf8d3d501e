"""The training loss: denoise one canvas, and predict the next token, with the same weights.

One call of the encoder over prompt and response, causal, gives the next-token loss and fills the cache. The decoder
then denoises canvas b, reading from the cache the prompt and the clean canvases strictly before b; reading b itself
would leak the answer. Upstream gets the same view by cropping the cache, for which all examples must share b; here b
differs within a batch, so masks do it. `tests/tiny/test_objective.py` compares this with upstream's own path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from transformers import DynamicCache

from dgemma_viz.tiny.batches import Bucket, Draw, make_batch
from dgemma_viz.tiny.interviews import interview_losses, make_interviews
from dgemma_viz.tiny.losses import decoder_masks, denoising_loss, encoder_masks, next_token_loss
from dgemma_viz.upstream.transformers import CACHE

_IGNORED = -100
"""Label that transformers' loss leaves out."""


def losses(model: Any, batch: dict[str, torch.Tensor], *, prompt: int, answer: int) -> dict[str, torch.Tensor]:
    """Return the denoising loss and, if the encoder reads the response, the next-token loss.

    `batch` holds the fields of a `Batch` by name; `prompt` and `answer` are the columns of prompt and response that
    the encoder reads (the rest of the last canvas is EOS fill, which only the decoder learns).
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

    cached = prompt + (canvases - 1) * canvas
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys[:, :, :cached], layer.values[:, :, :cached]
    masks = decoder_masks(is_token, block, prompt=prompt, canvas=canvas, canvases=canvases, window=window)
    position = prompt + block[:, None] * canvas + torch.arange(canvas, device=block.device)
    clean = batch["tokens"].gather(1, position)
    found = {"denoising": denoising_loss(model, cache, noised, clean, masks, position)}
    if answer:
        found["next token"] = next_token_loss(model, hidden, tokens, supervised, prompt)
    return found


def diffusion_losses(
    model: Any, tokenizer: Any, bucket: Bucket, draw: Draw, share: Callable[[Any], Any]
) -> dict[str, torch.Tensor]:
    """The losses over a worker's share of a batch."""
    made = (make_interviews if bucket.questions else make_batch)(bucket, tokenizer, draw)
    batch = {name: torch.from_numpy(share(array)) for name, array in asdict(made).items()}
    if bucket.questions:
        return interview_losses(model, batch, bucket)
    return losses(model, batch, prompt=bucket.prompt_length, answer=bucket.answer_length)


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
