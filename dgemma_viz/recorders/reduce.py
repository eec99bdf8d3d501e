"""Logits of one step to the few numbers per position that a trace keeps, on the device where the logits are.

Design. Entropies must be the sampler's own to the last bit where possible, because the accepted set is recomputed from
them: so the operations are those of ``torch.distributions.Categorical(logits=...).entropy()``, in its order, on the
logits' own dtype (a single ``log_softmax`` is faster, but at 262,144 tokens it differs by up to 3e-5 nats). One
normalised pass serves entropy, confidence, candidate probability and alternatives. Positions are taken in chunks, so
that at most two temporaries of 2**24 elements (64 MiB in float32) exist at a time, a fraction of what upstream's own
sampler holds; nothing is changed in place that is not ours.

Values that are not finite are kept: a position with a NaN or +inf logit has NaN entropy and probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_ELEMENTS = 2**24

Reduced = dict[str, torch.Tensor]

DTYPES = {
    "entropy": torch.float32,
    "confidence": torch.float32,
    "candidate_probability": torch.float32,
    "top_k_ids": torch.int32,
    "top_k_probabilities": torch.float16,
}
"""In which each is kept."""


def reduce_logits(logits: torch.Tensor, candidate: torch.Tensor, top_k: int) -> Reduced:
    """Entropy, confidence, candidate probability and alternatives of each position.

    Parameters
    ----------
    logits
        What the sampler used: processed logits ``(B, C, V)``.
    candidate
        Sampled token ids ``(B, C)``.
    top_k
        Alternatives wanted; at most ``V`` are given.

    Returns
    -------
    dict
        ``entropy`` (nats), ``confidence``, ``candidate_probability``: ``(B, C)``; ``top_k_ids``,
        ``top_k_probabilities``: ``(B, C, K)``, best first, equal probabilities in any order.
    """
    vocabulary = logits.shape[-1]
    kept = min(top_k, vocabulary)
    rows, sampled = logits.reshape(-1, vocabulary), candidate.reshape(-1, 1)
    with torch.no_grad():
        parts = [_reduce_rows(rows[span], sampled[span], kept) for span in _spans(len(rows), vocabulary)]
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: values.reshape(*candidate.shape, *values.shape[1:]) for name, values in joined.items()}


def accepted_by_rule(entropy: torch.Tensor, bound: float) -> torch.Tensor:
    """Mask ``(B, C)`` by the rule of ``EntropyBoundSampler.accept_canvas``, for a sampler that hides its own."""
    ordered, order = torch.sort(entropy, dim=-1)
    chosen = torch.cumsum(ordered, dim=-1) - ordered <= bound
    return torch.zeros_like(chosen).scatter(-1, order, chosen)


def _spans(rows: int, vocabulary: int) -> Iterator[slice]:
    """Slices of nearly equal length: a last chunk of one row would be summed in another order than upstream's."""
    chunks = max(1, -(-rows * vocabulary // _CHUNK_ELEMENTS))
    size = max(1, -(-rows // chunks))
    for start in range(0, max(rows, 1), size):
        yield slice(start, start + size)


def _reduce_rows(logits: torch.Tensor, sampled: torch.Tensor, top_k: int) -> Reduced:
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    p = torch.softmax(log_p, dim=-1)
    ids = torch.topk(logits, top_k, dim=-1).indices
    probabilities = p.gather(-1, ids)
    chosen = p.gather(-1, sampled)
    entropy = -log_p.clamp_(min=torch.finfo(log_p.dtype).min).mul_(p).sum(-1)
    return {
        "entropy": entropy,
        "confidence": probabilities[:, 0],
        "candidate_probability": chosen[:, 0],
        "top_k_ids": ids,
        "top_k_probabilities": probabilities,
    }
