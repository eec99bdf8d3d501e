"""The k greatest of each row, exactly, with little more than one read of the rows.

``torch.topk`` over 262,144 values reads them several times. The k greatest values of a row lie in the k blocks with
the greatest maxima (any other block's values are at most its maximum, which k others reach), so one pass over the
row finds those blocks, and only they are searched. As in ``torch.topk``, NaN counts as the greatest.
"""

from __future__ import annotations

import torch

_BLOCK = 512
"""Values in a block: about the square root of the released vocabulary, so that both searches are small."""


def best_of(rows: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k greatest values of each row and where they are.

    Parameters
    ----------
    rows
        ``(R, V)``, on any device.
    k
        How many; at most ``V``.

    Returns
    -------
    tuple
        Values and indices, each ``(R, k)``, greatest first; equal values in any order.
    """
    count, size = rows.shape
    blocks = size // _BLOCK
    if blocks < 4 * k:  # too few values would be spared
        found = torch.topk(rows, k, dim=-1)
        return found.values, found.indices
    in_blocks = rows[:, : blocks * _BLOCK].unflatten(-1, (blocks, _BLOCK))
    chosen = torch.topk(in_blocks.amax(dim=-1), k, dim=-1).indices
    candidates = in_blocks.gather(1, chosen[..., None].expand(-1, -1, _BLOCK)).reshape(count, k * _BLOCK)
    candidates = torch.cat([candidates, rows[:, blocks * _BLOCK :]], dim=-1)  # what fills no block
    values, place = torch.topk(candidates, k, dim=-1)
    begins = torch.cat([chosen * _BLOCK, chosen.new_full((count, 1), blocks * _BLOCK)], dim=-1)
    block = (place // _BLOCK).clamp(max=k)  # the last is the rest
    return values, begins.gather(-1, block) + place - block * _BLOCK
