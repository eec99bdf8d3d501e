"""Load the bundled drafter from the package's own files; nothing is fetched."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from dgemma_viz.tiny.weights_folder import load_weights

WEIGHTS = Path(__file__).parent / "weights"
NAME = "dgemma-viz-tiny-drafter"
"""What the drafter is called on screen and in traces."""


def load_tiny_drafter(folder: str | PathLike[str] = WEIGHTS) -> LlamaForCausalLM:
    """Return the bundled drafter, in evaluation mode and float32. Its tokenizer is the bundled model's.

    Parameters
    ----------
    folder
        Another folder in the same form, such as one that ``python -m dgemma_viz.tiny.drafter.train --folder`` wrote.

    Raises
    ------
    DgemmaVizError
        If the folder lacks the weights.
    """
    folder = Path(folder)
    made_by, name = "dgemma_viz.tiny.drafter.train", NAME if folder == WEIGHTS else None
    return load_weights(LlamaForCausalLM, folder, made_by, name=name, dtype=torch.float32)
