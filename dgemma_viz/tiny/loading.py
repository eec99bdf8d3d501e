"""Load the bundled model from the package's own files; nothing is fetched."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from transformers import DiffusionGemmaForBlockDiffusion, PreTrainedTokenizerFast

from dgemma_viz.tiny.weights_folder import load_weights

WEIGHTS = Path(__file__).parent / "weights"
NAME = "dgemma-viz-tiny"
"""What the bundled model is called on screen and in traces; its folder's name would say nothing."""


def load_tiny(folder: str | PathLike[str] = WEIGHTS) -> tuple[DiffusionGemmaForBlockDiffusion, PreTrainedTokenizerFast]:
    """Return the bundled model, in evaluation mode, and its tokenizer.

    Parameters
    ----------
    folder
        Another folder in the same form, such as one that `python -m dgemma_viz.tiny.train --folder` wrote.

    Raises
    ------
    DgemmaVizError
        If the folder lacks the weights.
    """
    folder = Path(folder)
    name = NAME if folder == WEIGHTS else None
    model = load_weights(DiffusionGemmaForBlockDiffusion, folder, "dgemma_viz.tiny.train", name=name)
    return model, PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
