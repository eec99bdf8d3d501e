"""How often the sampler takes back what it had accepted.

A position heals when a step accepted one token there, a later step re-noised it, and another token was emitted. The
count watches the sampler of one `generate()` call and changes nothing in it. (To look at such positions, record a run
with `dgemma_viz.record`; this module only counts them, without the recorder, for the table of the bundled model.)
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

AcceptedStep = tuple[torch.Tensor, torch.Tensor]


@contextmanager
def watched_sampler(model: Any) -> Iterator[list[AcceptedStep]]:
    """Collect (accepted mask, accepted canvas), each (rows, canvas), of every denoising step within the block."""
    steps: list[AcceptedStep] = []
    prepare = model._prepare_sampler

    def prepare_watched(*arguments: Any, **options: Any) -> Any:
        sampler = prepare(*arguments, **options)
        renoise = sampler.renoise_canvas

        def renoise_watched(accepted_canvas: torch.Tensor, cur_step: Any) -> torch.Tensor:
            steps.append((sampler.accepted_token_mask.clone(), accepted_canvas.clone()))
            renoised: torch.Tensor = renoise(accepted_canvas, cur_step)
            return renoised

        sampler.renoise_canvas = renoise_watched
        return sampler

    model._prepare_sampler = prepare_watched
    try:
        yield steps
    finally:
        del model._prepare_sampler


def healed_positions(steps: list[AcceptedStep], emitted: torch.Tensor) -> torch.Tensor:
    """Mark the positions that were accepted with a token that is not the emitted one, and re-noised afterwards.

    Parameters
    ----------
    steps
        What `watched_sampler` collected for one canvas.
    emitted
        The canvas that came out, (rows, canvas).

    Returns
    -------
    torch.Tensor
        Bool, (rows, canvas).
    """
    wrong = torch.zeros_like(emitted, dtype=torch.bool)
    healed = torch.zeros_like(wrong)
    for mask, canvas in steps:
        healed |= wrong & ~mask
        wrong |= mask & (canvas != emitted)
    return healed
