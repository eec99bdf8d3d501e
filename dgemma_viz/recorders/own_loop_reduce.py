"""Logits of one step of an own loop, torch or numpy, to the few numbers per position that a trace keeps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.recorders.host_arrays import is_torch

Array = npt.NDArray[Any]

_CHUNK_ELEMENTS = 2**22
"""Elements of float64 temporaries at a time: 32 MiB each."""


def reduce_any(logits: Any, candidate: Array | None, top_k: int) -> dict[str, Array]:
    """Draft, entropy, confidence and alternatives of each position, and the candidate's probability if there is one.

    Parameters
    ----------
    logits
        Torch tensor (reduced on its device) or array, ``(B, C, V)``: their softmax is the distribution.
    candidate
        Token ids ``(B, C)``, or None.
    top_k
        Alternatives wanted; at most ``V`` are given.

    Returns
    -------
    dict
        By the names of :data:`dgemma_viz.trace.schema.ARRAYS`, and ``banned`` where tokens have -inf.
    """
    tensor = is_torch(logits)
    reduced = _of_tensor(logits, candidate, top_k) if tensor else _of_array(logits, candidate, top_k)
    banned = _impossible(logits)
    if (banned > 0).any():
        reduced["banned"] = banned.cpu().numpy() if tensor else banned
    if candidate is None:
        del reduced["candidate_probability"]
    return reduced


def _impossible(logits: Any) -> Any:
    """How many tokens have -inf; none where all have, since that is no distribution.

    None anywhere where most tokens of most positions have it: a filter (top-k, top-p) cuts off what is improbable, and
    what it leaves says how sure the model was.
    """
    vocabulary = logits.shape[-1]
    count = (logits == -np.inf).sum(-1)
    filtered = float((count * 2 > vocabulary).sum()) * 2 > math.prod(count.shape)
    return count * (count < vocabulary) * (not filtered)


def _of_tensor(logits: Any, candidate: Array | None, top_k: int) -> dict[str, Array]:
    import torch

    from dgemma_viz.recorders.reduce import reduce_logits

    with torch.no_grad():
        if candidate is None:
            sampled = torch.zeros(logits.shape[:-1], dtype=torch.long, device=logits.device)  # not asked for
        else:
            sampled = torch.tensor(candidate, dtype=torch.long, device=logits.device)
        reduced = reduce_logits(logits.detach().float(), sampled, top_k)
    return {name: values.cpu().numpy() for name, values in reduced.items()}


def _of_array(logits: Array, candidate: Array | None, top_k: int) -> dict[str, Array]:
    vocabulary = logits.shape[-1]
    rows = logits.reshape(-1, vocabulary)
    sampled = rows.argmax(axis=-1) if candidate is None else candidate.reshape(-1)
    size = max(1, _CHUNK_ELEMENTS // vocabulary)
    spans = [slice(start, start + size) for start in range(0, len(rows), size)]
    parts = [_rows(rows[span].astype(np.float64), sampled[span], min(top_k, vocabulary)) for span in spans]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: values.reshape(*logits.shape[:-1], *values.shape[1:]) for name, values in joined.items()}


def _rows(logits: Array, sampled: Array, top_k: int) -> dict[str, Array]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    p = np.exp(log_p)
    best = np.argsort(-logits, axis=-1, kind="stable")[:, :top_k]
    lowest = np.finfo(np.float64).min  # a token that is ruled out adds 0, not 0 times infinity
    return {
        "draft": logits.argmax(axis=-1),
        "entropy": -(p * np.maximum(log_p, lowest)).sum(axis=-1),
        "confidence": p.max(axis=-1),
        "candidate_probability": np.take_along_axis(p, sampled[:, None], axis=-1)[:, 0],
        "top_k_ids": best,
        "top_k_probabilities": np.take_along_axis(p, best, axis=-1),
    }
