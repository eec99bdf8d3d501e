"""Logits of one step in MLX, to the few numbers per position that a trace keeps; on MLX's device, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def reduce_mlx(logits: Any, candidate: Any, top_k: int) -> dict[str, Array]:
    """Draft, entropy, confidence and alternatives of each position, and the candidate's probability if there is one.

    It is computed now: MLX would else keep the logits until somebody asks.

    Parameters
    ----------
    logits
        ``mx.array`` ``(B, C, V)``: their softmax is the distribution.
    candidate
        Token ids, ``mx.array`` ``(B, C)``, or None.
    top_k
        Alternatives wanted; at most ``V`` are given.

    Returns
    -------
    dict
        By the names of :data:`dgemma_viz.trace.schema.ARRAYS`.
    """
    import mlx.core as mx

    wide = logits.astype(mx.float32)
    log_p = wide - mx.logsumexp(wide, axis=-1, keepdims=True)
    count = min(top_k, wide.shape[-1])
    best = mx.argpartition(-wide, kth=count - 1, axis=-1)[..., :count]
    draft = mx.argmax(logits, axis=-1)
    found = {
        "draft": draft,
        "entropy": -mx.sum(mx.exp(log_p) * log_p, axis=-1),
        "confidence": _probability(log_p, draft),
        "top_k_ids": best,
        "top_k_probabilities": mx.exp(mx.take_along_axis(log_p, best, axis=-1)),
        "order": mx.take_along_axis(wide, best, axis=-1),
    }
    if candidate is not None:
        found["candidate_probability"] = _probability(log_p, candidate)
    mx.eval(found)
    arrays = {name: np.array(value) for name, value in found.items()}
    by_logit = np.lexsort((arrays["top_k_ids"], -arrays.pop("order")), axis=-1)
    for name in ("top_k_ids", "top_k_probabilities"):
        arrays[name] = np.take_along_axis(arrays[name], by_logit, axis=-1)
    return arrays


def _probability(log_p: Any, ids: Any) -> Any:
    import mlx.core as mx

    return mx.exp(mx.take_along_axis(log_p, ids[..., None], axis=-1).squeeze(-1))
