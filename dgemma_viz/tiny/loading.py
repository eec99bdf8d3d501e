"""Load the bundled model from the package's own files; nothing is fetched."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import DiffusionGemmaForBlockDiffusion, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from dgemma_viz.errors import DgemmaVizError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

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
    if not (folder / "model.safetensors").is_file():
        raise DgemmaVizError(
            f"There are no weights in {folder}. Install dgemma-viz again, or train them: "
            "python -m dgemma_viz.tiny.train"
        )
    with no_progress_bar():
        model = DiffusionGemmaForBlockDiffusion.from_pretrained(folder, local_files_only=True)
    if folder == WEIGHTS:
        model.config._name_or_path = NAME
    return model.eval(), PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar for a load of a few milliseconds."""
    was_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            transformers_logging.enable_progress_bar()
