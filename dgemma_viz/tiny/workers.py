"""Training with several processes of one thread each, which share every step's examples and sum their gradients.

On a machine that others use too, this is much faster than one process of several threads: threads meet hundreds of
times a step and each time wait for the one whose core is taken; processes meet once a step.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, multiprocessing

_PATIENCE = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Team:
    """The place of this process among the workers; alone by default."""

    rank: int = 0
    size: int = 1

    def share(self, array: Any) -> Any:
        """Return this worker's rows of a batch."""
        return array[self.rank :: self.size]

    def average_gradients(self, parameters: Iterable[Any], *, stop: bool) -> bool:
        """Replace each gradient by its mean over the workers; return whether any worker wants to stop."""
        if self.size == 1:
            return stop
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), torch.tensor([float(stop)])])
        distributed.all_reduce(flat)
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient) / self.size)
            start += gradient.numel()
        return bool(flat[-1] > 0)


def run_team(work: Callable[[Team, Any], None], size: int, options: Any) -> None:
    """Call `work(team, options)` in `size` processes; this process is worker 0."""
    if size == 1:
        work(Team(), options)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_join_and_work, args=(work, Team(rank, size), port, options), daemon=True)
        for rank in range(1, size)
    ]
    for process in others:
        process.start()
    _join_and_work(work, Team(0, size), port, options)
    for process in others:
        process.join()


def _join_and_work(work: Callable[[Team, Any], None], team: Team, port: int, options: Any) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=team.rank, world_size=team.size, timeout=_PATIENCE
    )
    try:
        work(team, options)
    finally:
        distributed.destroy_process_group()
