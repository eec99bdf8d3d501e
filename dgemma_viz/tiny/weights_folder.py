"""Load a model from a folder of weights on disk, without a network and without a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from dgemma_viz.errors import DgemmaVizError


def load_weights(model_class: Any, folder: Path, made_by: str, *, name: str | None = None, **options: Any) -> Any:
    """Return the folder's model, in evaluation mode.

    Parameters
    ----------
    model_class
        A transformers class.
    made_by
        Module whose command makes such a folder.
    name
        What the model is called on screen and in traces, where its folder's name would say nothing.
    options
        For ``from_pretrained``.

    Raises
    ------
    DgemmaVizError
        The folder lacks the weights.
    """
    if not (folder / "model.safetensors").is_file():
        raise DgemmaVizError(
            f"There are no weights in {folder}. Install dgemma-viz again, or train them: python -m {made_by}"
        )
    with _no_progress_bar():
        model = model_class.from_pretrained(folder, local_files_only=True, **options)
    if name:
        model.config._name_or_path = name
    return model.eval()


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar for a load of a few milliseconds."""
    was_on = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            transformers_logging.enable_progress_bar()
