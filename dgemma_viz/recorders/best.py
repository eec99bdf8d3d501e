"""The greatest values of each row, exactly, with little more than one read of the rows.

``torch.topk`` over 262,144 values reads them several times, and ``torch.argmax`` on a CPU compares them one by one. The
k greatest values of a row lie in the k blocks with the greatest maxima (any other block's values are at most its
maximum, which k others reach), so one pass over the row finds those blocks, and only they are searched. As in torch's
own functions, NaN counts as the greatest.
"""

from __future__ import annotations

import torch

_BLOCK = 512
"""Values in a block: about the square root of the released vocabulary, so that both searches are small."""


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
