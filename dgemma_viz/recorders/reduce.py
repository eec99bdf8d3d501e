"""One step's logits reduced to small arrays, on the logits' own device and without a host synchronisation.

The distribution is the one that the sampler used: softmax of the *processed* logits (after temperature and any other
logits processor). Its entropy follows ``torch.distributions.Categorical(logits=...).entropy()``, which is what
transformers' ``EntropyBoundSampler.accept_canvas`` sorts by, so that the accepted set can be recomputed from a trace.

Positions are worked on a few at a time: the temporaries stay a small part of the logits' own size at a vocabulary of
262,144, and nothing of that size outlives the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_CHUNK = 2**22
"""Logits per chunk: 16 MB of float32, 16 positions of the released vocabulary."""


def reduce_logits(logits: Tensor, candidate: Tensor, top_k: int) -> dict[str, Tensor]:
    """Entropy, confidence, draft, candidate probability and top-k of one step.

    Parameters
    ----------
    logits
        Processed logits ``(B, C, V)``, any float dtype; not changed.
    candidate
        Sampled token ids ``(B, C)``.
    top_k
        Alternatives to keep; at most ``V`` are.

    Returns
    -------
    dict
        ``entropy`` (nats), ``confidence``, ``candidate_probability``: float32 ``(B, C)``; ``top_k_ids`` int32 and
        ``top_k_probabilities`` float16 ``(B, C, K)``. NaN where the logits are.
    """
    batch, length, vocabulary = logits.shape
    rows = logits.detach().reshape(-1, vocabulary)
    drawn = candidate.reshape(-1, 1)
    keep = min(top_k, vocabulary)
    size = max(1, _LARGEST_CHUNK // vocabulary)
    parts = [_reduce_rows(rows[i : i + size], drawn[i : i + size], keep) for i in range(0, len(rows), size)]
    entropy, candidate_probability, best, ids = (torch.cat(column) for column in zip(*parts, strict=True))
    return {
        "entropy": entropy.view(batch, length),
        "confidence": best[:, 0].reshape(batch, length),
        "candidate_probability": candidate_probability.view(batch, length),
        "top_k_ids": ids.to(torch.int32).view(batch, length, keep),
        "top_k_probabilities": best.to(torch.float16).view(batch, length, keep),
    }


def _reduce_rows(logits: Tensor, drawn: Tensor, keep: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Entropy ``(R,)``, candidate probability ``(R,)``, top probabilities and ids ``(R, K)`` of rows ``(R, V)``."""
    top, ids = torch.topk(logits, keep, dim=-1)
    log_probabilities = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
    candidate_probability = log_probabilities.gather(-1, drawn).squeeze(-1).exp()
    normaliser = torch.logsumexp(logits.float(), dim=-1, keepdim=True)
    best = (top.float() - normaliser).exp()
    probabilities = log_probabilities.exp()
    # As Categorical.entropy() does: a token of probability 0 adds 0, not 0 * -inf.
    log_probabilities.clamp_(min=torch.finfo(torch.float32).min)
    entropy = -(probabilities.mul_(log_probabilities)).sum(dim=-1)
    return entropy, candidate_probability, best, ids
