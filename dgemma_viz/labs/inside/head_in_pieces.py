"""What the head says of hidden states, a few positions at a time: logits of a canvas are never held for all depths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dgemma_viz.recorders.reduce import CHUNK_ELEMENTS, best_of
from dgemma_viz.trace.inside import Lens, Variants

Array = Any
_COPIES = 4
"""Tensors of the size of a piece's logits that are held at a time."""


class Distribution:
    """Rows of logits as distributions, with what is read of them.

    Parameters
    ----------
    logits
        ``(n, V)``.
    temperature
        Divides them.
    """

    def __init__(self, logits: torch.Tensor, temperature: float = 1.0) -> None:
        self.logits = logits.float() if temperature == 1.0 else logits.float() / temperature
        self.greatest = self.logits.amax(dim=-1, keepdim=True)
        self.p = torch.softmax(self.logits, dim=-1)

    @property
    def log_sum(self) -> torch.Tensor:
        """Logarithm of the sum of exponentials, less the greatest logit: ``(n,)``."""
        top = self.p.gather(-1, self.logits.argmax(dim=-1, keepdim=True))
        return -top.log()[:, 0]

    def mean_logit(self, of: Distribution) -> torch.Tensor:
        """Mean of these logits, less their greatest, under another distribution: ``(n,)``."""
        shifted = (self.logits - self.greatest).clamp_(min=torch.finfo(torch.float32).min)
        return torch.bmm(of.p[:, None], shifted[:, :, None])[:, 0, 0]

    @property
    def entropy(self) -> torch.Tensor:
        """In nats: ``(n,)``."""
        return (self.log_sum - self.mean_logit(self)).clamp_(min=0)

    def divergence_from(self, true: Distribution) -> torch.Tensor:
        """KL(true || this), in nats: ``(n,)``."""
        own, theirs = self.mean_logit(true) - self.log_sum, true.mean_logit(true) - true.log_sum
        return (theirs - own).clamp_(min=0)

    def best(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The k most probable tokens and their probabilities, ``(n, k)`` each; of equal ones the first token leads."""
        _, ids, first = best_of(self.logits, k)
        ids = ids.clone()
        where = (ids == first[:, None]).float().argmax(dim=-1, keepdim=True)
        ids.scatter_(-1, where, ids[:, :1].clone())
        ids[:, 0] = first
        return ids, self.p.gather(-1, ids)


def pieces(rows: int, vocabulary: int) -> list[slice]:
    """Rows to take at a time, so that a handful of copies of their logits stay small."""
    most = max(1, CHUNK_ELEMENTS // (_COPIES * vocabulary))
    return [slice(begin, min(begin + most, rows)) for begin in range(0, rows, most)]


def lens_of(
    hidden: Mapping[int, torch.Tensor],
    head: Callable[[torch.Tensor], torch.Tensor],
    vocabulary: int,
    top_k: int,
    temperature: float = 1.0,
) -> Lens:
    """The head's words on each depth.

    Parameters
    ----------
    hidden
        By depth, ``(n, width)``; the greatest depth is the last.
    head
        From hidden states to logits; see :attr:`~dgemma_viz.labs.inside.anatomy.Anatomy.head`.
    vocabulary
        Its size.
    top_k
        Alternatives kept.
    temperature
        Divides the logits.
    """
    depths = sorted(hidden)
    rows, kept = len(hidden[depths[-1]]), min(top_k, vocabulary)
    ids = np.zeros((len(depths), rows, kept), dtype=np.int32)
    probability = np.zeros((len(depths), rows, kept), dtype=np.float16)
    entropy, divergence = (np.zeros((len(depths), rows), dtype=np.float16) for _ in range(2))
    with torch.no_grad():
        for piece in pieces(rows, vocabulary):
            last = Distribution(head(hidden[depths[-1]][piece]), temperature)
            for place, depth in enumerate(depths):
                here = last if depth == depths[-1] else Distribution(head(hidden[depth][piece]), temperature)
                tokens, shares = here.best(kept)
                ids[place, piece], probability[place, piece] = on_host(tokens), on_host(shares)
                entropy[place, piece] = on_host(here.entropy)
                divergence[place, piece] = 0 if here is last else on_host(here.divergence_from(last))
    return Lens(np.array(depths), ids, probability, entropy, divergence)


def read(logits: torch.Tensor, top_k: int, temperature: float = 1.0) -> tuple[Array, Array, Array]:
    """Entropy ``(n,)``, and the most probable tokens with their probabilities, ``(n, k)``, of logits ``(n, V)``."""
    kept = min(top_k, logits.shape[-1])
    with torch.no_grad():
        found = [
            (on_host(one.entropy), *map(on_host, one.best(kept)))
            for piece in pieces(len(logits), logits.shape[-1])
            for one in [Distribution(logits[piece], temperature)]
        ]
    entropy, ids, probability = (np.concatenate(part) for part in zip(*found, strict=True))
    return entropy, ids, probability


def variants_of(actual: torch.Tensor, changed: Sequence[torch.Tensor], temperature: float = 1.0) -> Variants:
    """How the logits of changed passes differ from those of the pass itself, all ``(n, V)``."""
    shape = (len(changed), len(actual))
    draft = np.zeros(shape, dtype=np.int32)
    confidence, entropy, divergence = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    with torch.no_grad():
        for piece in pieces(len(actual), actual.shape[-1]):
            true = Distribution(actual[piece], temperature)
            for place, logits in enumerate(changed):
                here = Distribution(logits[piece], temperature)
                best, share = here.best(1)
                draft[place, piece], confidence[place, piece] = on_host(best)[:, 0], on_host(share)[:, 0]
                entropy[place, piece] = on_host(here.entropy)
                divergence[place, piece] = on_host(here.divergence_from(true))
    return Variants(draft, confidence, entropy, divergence)


def on_host(tensor: torch.Tensor) -> Array:
    """As a numpy array."""
    return tensor.detach().cpu().numpy()
