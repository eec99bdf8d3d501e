"""Logits of one step to the few numbers per position that a trace keeps, on the device where the logits are.

Design. There are three ways, by what the numbers are for:

- *Known.* Where upstream was seen to compute entropies and probabilities, they are taken
  (:mod:`dgemma_viz.recorders.running_sampler`), and the logits are read once more, for the alternatives.
- *Bitwise.* Where entropies decide what is accepted, they must be upstream's to the last bit: the operations are those
  of ``torch.distributions.Categorical(logits=...).entropy()``, in its order, on the logits' own dtype.
- *Fast*, elsewhere. With ``m`` the greatest logit, ``p`` the softmax and ``S`` its sum, which rounding keeps from 1,
  ``H = log(S / p_m) - sum(p (x - m)) / S``: one exponential a token instead of two, and half the passes. It is nearer
  to the entropy in double precision than upstream's operations are (1e-6 nats against 5e-5 at 262,144 tokens), and
  differs from them by as much. Small vocabularies have nothing to gain, and are reduced bitwise.

The greatest values of a row are found with little more than one read of it. ``torch.topk`` over 262,144 values reads
them several times, and ``torch.argmax`` on a CPU compares them one by one. The k greatest lie in the k blocks with the
greatest maxima (any other block's values are at most its maximum, which k others reach), so one pass over the row finds
those blocks, and only they are searched. As in torch's own functions, NaN counts as the greatest.

Positions are taken in chunks: on the CPU as many as fit each core's cache, elsewhere 2**24 elements, so that
temporaries take at most 128 MiB in float32, a fraction of what upstream's own sampler holds. Nothing is changed in
place that is not ours.

Values that are not finite are kept: a position with a NaN or +inf logit has NaN entropy and probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

CHUNK_ELEMENTS = 2**24
"""Logits reduced at a time, on any device."""
CACHE_ELEMENTS = 2**18
"""On the CPU, for each thread: 1 MiB in float32, about the second-level cache of a core."""
_BLOCK = 512
"""Values in a block: about the square root of the released vocabulary, so that both searches are small."""
WIDE = 2**14
"""Tokens of a vocabulary from which the fast way is taken."""

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
    *,
    bitwise: bool = False,
) -> Reduced:
    """Draft, entropy, confidence, candidate probability and alternatives of each position.

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
    bitwise
        Entropies must be those of upstream's operations to the last bit.

    Returns
    -------
    dict
        ``draft`` (``logits.argmax(dim=-1)``), ``entropy`` (nats), ``confidence``, ``candidate_probability``:
        ``(B, C)``; ``top_k_ids``, ``top_k_probabilities``: ``(B, C, K)``, best first, equal probabilities in any order.
    """
    vocabulary = logits.shape[-1]
    kept = min(top_k, vocabulary)
    rows, sampled = logits.reshape(-1, vocabulary), candidate.reshape(-1, 1)
    with torch.no_grad():
        if known is not None:
            entropy, p = known[0].reshape(-1), known[1].reshape(-1, vocabulary)
            parts = [_pick(entropy, p, best_of(rows, kept), sampled)]
        elif bitwise or vocabulary < WIDE:
            parts = [_bitwise(rows[span], sampled[span], kept) for span in spans(rows, least=2)]
        else:
            parts = list(_fast(rows, sampled, kept))
    joined = parts[0] if len(parts) == 1 else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: values.reshape(*candidate.shape, *values.shape[1:]) for name, values in joined.items()}


def entropy_of(logits: torch.Tensor) -> torch.Tensor:
    """``torch.distributions.Categorical(logits=logits).entropy()`` to the last bit: ``(B, C, V)`` to ``(B, C)``."""
    rows = logits.reshape(-1, logits.shape[-1])
    with torch.no_grad():
        parts = [_upstream(rows[span])[0] for span in spans(rows, least=2)]
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(logits.shape[:-1])


def accepted_by_rule(entropy: torch.Tensor, bound: float) -> torch.Tensor:
    """Mask ``(B, C)`` by the rule of ``EntropyBoundSampler.accept_canvas``, for a sampler that hides its own."""
    ordered, order = torch.sort(entropy, dim=-1)
    chosen = torch.cumsum(ordered, dim=-1) - ordered <= bound
    return torch.zeros_like(chosen).scatter(-1, order, chosen)


def spans(rows: torch.Tensor, least: int) -> Iterator[slice]:
    """Chunks to work in, of nearly equal length and ``least`` rows: one alone would be summed in another order."""
    count = len(rows)
    on_cpu = rows.device.type == "cpu"
    elements = min(CHUNK_ELEMENTS, CACHE_ELEMENTS * torch.get_num_threads()) if on_cpu else CHUNK_ELEMENTS
    chunks = max(1, min(-(-rows.numel() // elements), count // least))
    for chunk in range(chunks):
        yield slice(chunk * count // chunks, (chunk + 1) * count // chunks)


def _bitwise(logits: torch.Tensor, sampled: torch.Tensor, top_k: int) -> Reduced:
    entropy, p = _upstream(logits)
    return _pick(entropy, p, best_of(logits, top_k), sampled)


def _upstream(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    p = torch.softmax(log_p, dim=-1)
    return -log_p.clamp_(min=torch.finfo(log_p.dtype).min).mul_(p).sum(-1), p


def _fast(rows: torch.Tensor, sampled: torch.Tensor, top_k: int) -> Iterator[Reduced]:
    """Chunk by chunk in the same two buffers: fresh memory would cost as much as a pass over it."""
    chunks = list(spans(rows, least=1))
    longest = max(span.stop - span.start for span in chunks)
    dtype = torch.promote_types(rows.dtype, torch.float32)
    buffers = torch.empty((2, longest, rows.shape[-1]), dtype=dtype, device=rows.device)
    for span in chunks:
        logits, (shifted, p) = rows[span].to(dtype), buffers[:, : span.stop - span.start]
        greatest, ids, _ = best = best_of(logits, top_k)
        torch.softmax(logits, dim=-1, out=p)
        torch.sub(logits, greatest[:, :1], out=shifted)
        total = p.sum(-1)
        spread = (total / p.gather(-1, ids[:, :1])[:, 0]).log()
        picked = _pick(spread, p, best, sampled[span])
        picked["entropy"] = spread - shifted.mul_(p).nansum(-1) / total  # NaN: 0 x -inf, of a token that is ruled out
        yield picked


def _pick(
    entropy: torch.Tensor, p: torch.Tensor, best: tuple[torch.Tensor, torch.Tensor, torch.Tensor], sampled: torch.Tensor
) -> Reduced:
    _, ids, draft = best
    probabilities = p.gather(-1, ids)
    return {
        "draft": draft,
        "entropy": entropy,
        "confidence": probabilities[:, 0],
        "candidate_probability": p.gather(-1, sampled)[:, 0],
        "top_k_ids": ids,
        "top_k_probabilities": probabilities,
    }


def best_of(rows: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The k greatest values of each row and where they are, and what ``rows.argmax(dim=-1)`` gives.

    Parameters
    ----------
    rows
        ``(R, V)``, on any device.
    k
        How many; at most ``V``.

    Returns
    -------
    tuple
        Values and indices, each ``(R, k)``, greatest first, equal values in any order; and the first index of the
        greatest value, ``(R,)``.
    """
    blocks = rows.shape[-1] // _BLOCK
    if blocks < 4 * k:  # too few values would be spared
        found = torch.topk(rows, k, dim=-1)
        return found.values, found.indices, rows.argmax(dim=-1)
    maxima = _in_blocks(rows).amax(dim=-1)
    chosen = torch.topk(maxima, k, dim=-1).indices
    values, place = torch.topk(_searched(rows, chosen), k, dim=-1)
    return values, _index(place, chosen, blocks), _first(rows, maxima)


def first_best(logits: torch.Tensor) -> torch.Tensor:
    """What ``logits.argmax(dim=-1)`` gives, of ``(..., V)`` on any device: of equal values, the first."""
    rows = logits.reshape(-1, logits.shape[-1])
    if rows.shape[-1] < _BLOCK:
        return logits.argmax(dim=-1)
    return _first(rows, _in_blocks(rows).amax(dim=-1)).reshape(logits.shape[:-1])


def _in_blocks(rows: torch.Tensor) -> torch.Tensor:
    """``(R, blocks, 512)``, without what fills no block."""
    blocks = rows.shape[-1] // _BLOCK
    return rows[:, : blocks * _BLOCK].unflatten(-1, (blocks, _BLOCK))


def _first(rows: torch.Tensor, maxima: torch.Tensor) -> torch.Tensor:
    chosen = maxima.argmax(dim=-1, keepdim=True)
    place = _searched(rows, chosen).argmax(dim=-1, keepdim=True)
    return _index(place, chosen, maxima.shape[-1])[:, 0]


def _searched(rows: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Values of the chosen blocks ``(R, k)``, and behind them those that fill no block."""
    whole = rows.shape[-1] // _BLOCK * _BLOCK
    values = _in_blocks(rows).gather(1, chosen[..., None].expand(-1, -1, _BLOCK)).flatten(1)
    return torch.cat([values, rows[:, whole:]], dim=-1)


def _index(place: torch.Tensor, chosen: torch.Tensor, blocks: int) -> torch.Tensor:
    """Where in the rows that is which is at a place in :func:`_searched`."""
    begins = torch.cat([chosen * _BLOCK, chosen.new_full((len(chosen), 1), blocks * _BLOCK)], dim=-1)
    block = (place // _BLOCK).clamp(max=chosen.shape[-1])  # the last is the rest
    return begins.gather(-1, block) + place - block * _BLOCK
