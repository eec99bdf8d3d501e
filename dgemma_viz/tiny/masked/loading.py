"""Load the bundled mask-token model from the package's own files; nothing is fetched."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch
from transformers import ModernBertForMaskedLM, PreTrainedTokenizerFast

from dgemma_viz.tiny.weights_folder import load_weights

WEIGHTS = Path(__file__).parent / "weights"
NAME = "dgemma-viz-tiny-masked"
"""What the model is called on screen and in traces."""


def load_tiny_masked(
    folder: str | PathLike[str] = WEIGHTS,
) -> tuple[ModernBertForMaskedLM, PreTrainedTokenizerFast]:
    """Return the bundled mask-token model, in evaluation mode and float32, and its tokenizer.

    Parameters
    ----------
    folder
        Another folder in the same form, such as one that ``python -m dgemma_viz.tiny.masked.train --folder`` wrote.

    Raises
    ------
    DgemmaVizError
        If the folder lacks the weights.

    Examples
    --------
    >>> from diffusers import BlockRefinementScheduler, LLaDA2Pipeline
    >>> model, tokenizer = load_tiny_masked()
    >>> pipeline = LLaDA2Pipeline(model=model, scheduler=BlockRefinementScheduler(), tokenizer=tokenizer)
    >>> pipeline(prompt="sort 27182818=", gen_length=32).texts
    ['11227888']
    """
    folder = Path(folder)
    made_by, name = "dgemma_viz.tiny.masked.train", NAME if folder == WEIGHTS else None
    model = load_weights(ModernBertForMaskedLM, folder, made_by, name=name, dtype=torch.float32)
    return model, PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
