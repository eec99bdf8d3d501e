"""Write a model as a standard Hugging Face folder: config, generation config, safetensors weights and tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dgemma_viz.tiny.architecture import fresh_model
from dgemma_viz.tiny.config_file import save_with_config
from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.training import WeightAverage


def averaged_model(average: WeightAverage) -> Any:
    """Return a new model in evaluation mode that has the averaged weights; the random state is left alone."""
    with torch.random.fork_rng():
        model = fresh_model()
    average.copy_to(model)
    return model.eval()


def export(model: Any, folder: Path) -> None:
    """Save model and tokenizer in float32, the precision they are loaded in by default."""
    save_with_config(model, folder)
    build_tokenizer().save_pretrained(folder)
