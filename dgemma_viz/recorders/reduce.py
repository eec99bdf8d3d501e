"""Logits of one step to the few numbers per position that a trace keeps, on the device where the logits are.

Design. Entropies must be the sampler's own to the last bit where possible, because the accepted set is recomputed from
them. Where the sampler was seen to compute them (:mod:`dgemma_viz.recorders.sampler_numbers`), its entropies and
probabilities are taken, and the logits are read once more, for the alternatives. Elsewhere the operations are those of
``torch.distributions.Categorical(logits=...).entropy()``, in its order, on the logits' own dtype (a single
``log_softmax`` is faster, but at 262,144 tokens it differs by up to 3e-5 nats): on the same device both give the same
numbers. Positions are then taken in chunks: on the CPU as many as fit each core's cache, elsewhere 2**24 elements, so
that temporaries take at most 128 MiB in float32, a fraction of what upstream's own sampler holds. Nothing is changed in
place that is not ours.

Values that are not finite are kept: a position with a NaN or +inf logit has NaN entropy and probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dgemma_viz.recorders.best import best_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_ELEMENTS = 2**24
_CACHE_ELEMENTS = 2**18
"""On the CPU, for each thread: 1 MiB in float32, about the second-level cache of a core."""

Reduced = dict[str, torch.Tensor]

DTYPES = {
    "entropy": torch.float32,
    "confidence": torch.float32,
    "candidate_probability": torch.float32,
    "top_k_ids": torch.int32,
    "top_k_probabilities": torch.float16,
}
"""In which each is kept."""


def reduce_logits(
    logits: torch.Tensor,
    candidate: torch.Tensor,
    top_k: int,
    known: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Reduced:
    """Entropy, confidence, candidate probability and alternatives of each position.

    Parameters
    ----------
    logits
        What the sampler used: processed logits ``(B, C, V)``.
    candidate
        Sampled token ids ``(B, C)``.
    top_k
        Alternatives wanted; at most ``V`` are given.
    known
        Entropy ``(B, C)`` and probabilities ``(B, C, V)`` where the sampler computed them of these logits.

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
        if known is not None:
            entropy, p = known[0].reshape(-1), known[1].reshape(-1, vocabulary)
            joined = _pick(entropy, p, best_of(rows, kept)[1], sampled)
        else:
            parts = [_reduce_rows(rows[span], sampled[span], kept) for span in _spans(rows)]
            joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: values.reshape(*candidate.shape, *values.shape[1:]) for name, values in joined.items()}


def accepted_by_rule(entropy: torch.Tensor, bound: float) -> torch.Tensor:
    """Mask ``(B, C)`` by the rule of ``EntropyBoundSampler.accept_canvas``, for a sampler that hides its own."""
    ordered, order = torch.sort(entropy, dim=-1)
    chosen = torch.cumsum(ordered, dim=-1) - ordered <= bound
    return torch.zeros_like(chosen).scatter(-1, order, chosen)


def _spans(rows: torch.Tensor) -> Iterator[slice]:
    """Slices of nearly equal length, of two rows at least: one row would be summed in another order than upstream's."""
    count = len(rows)
    elements = _CHUNK_ELEMENTS if rows.is_cuda else min(_CHUNK_ELEMENTS, _CACHE_ELEMENTS * torch.get_num_threads())
    chunks = max(1, min(-(-rows.numel() // elements), count // 2))
    for chunk in range(chunks):
        yield slice(chunk * count // chunks, (chunk + 1) * count // chunks)


def _reduce_rows(logits: torch.Tensor, sampled: torch.Tensor, top_k: int) -> Reduced:
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    p = torch.softmax(log_p, dim=-1)
    entropy = -log_p.clamp_(min=torch.finfo(log_p.dtype).min).mul_(p).sum(-1)
    return _pick(entropy, p, best_of(logits, top_k)[1], sampled)


def _pick(entropy: torch.Tensor, p: torch.Tensor, ids: torch.Tensor, sampled: torch.Tensor) -> Reduced:
    probabilities = p.gather(-1, ids)
    return {
        "entropy": entropy,
        "confidence": probabilities[:, 0],
        "candidate_probability": p.gather(-1, sampled)[:, 0],
        "top_k_ids": ids,
        "top_k_probabilities": probabilities,
    }
