"""Which prompts are held out from training.

One prompt in sixteen, by a checksum of what it asks (`Task.split_key`). The rule depends on nothing else, so no seed
and no change to a sampler can leak a held-out prompt into training.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from dgemma_viz.tiny.tasks.task import Example, Task

HELD_OUT_ONE_IN = 16


def is_held_out(task: Task, prompt: str) -> bool:
    """Tell whether training must not use this prompt."""
    return crc32(f"{task.name}|{task.split_key(prompt)}".encode()) % HELD_OUT_ONE_IN == 0


def sample_example(task: Task, rng: np.random.Generator, *, held_out: bool) -> Example:
    """Draw examples until one is on the wanted side of the split."""
    while True:
        example = task.sample(rng)
        if is_held_out(task, example.prompt) == held_out:
            return example
