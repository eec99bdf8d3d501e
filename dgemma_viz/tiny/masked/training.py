"""The training run of the mask-token model: takes one step at a time, can be saved and restored exactly.

As in :mod:`dgemma_viz.tiny.training`, batches are a pure function of seed and step, so weights, optimiser, average and
step are the whole state.

The loss is the weighted mean of the cross-entropy over the corrupted block, WITHOUT LLaDA's factor 1/t (arXiv
2502.09992, equation 3). That factor makes the loss a bound on the likelihood; but it gives most weight to blocks that
are nearly whole, which are easy, and in small batches most of the variance. What counts here is the right answer from
an all-masked block.
"""

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny.masked.architecture import fresh_masked_model
from dgemma_viz.tiny.masked.batches import Bucket, make_masked_batch
from dgemma_viz.tiny.masked.tokenizer import build_masked_tokenizer
from dgemma_viz.tiny.training import WeightAverage
from dgemma_viz.write_whole import write_whole

_MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class MaskedRecipe:
    """Everything that decides the outcome of a run, except the machine's arithmetic.

    Attributes
    ----------
    steps
        Length of the run.
    warmup
        Steps in which the learning rate rises; from then on it falls to 0 along a cosine.
    peak
        Highest learning rate.
    skew
        Of the mask ratio, see :func:`dgemma_viz.tiny.batches.noise_levels`.
    easy
        Weight of positions that take no thought, see :func:`dgemma_viz.tiny.masked.batches.make_masked_batch`.
    buckets
        What each step trains on: tasks of similar length. Addition is learned last, so it gets more examples.
    """

    steps: int = 3000
    warmup: int = 100
    peak: float = 2e-3
    skew: float = 2.0
    easy: float = 0.1
    buckets: tuple[Bucket, ...] = ((("sudoku",), 24), (("addition", "addition", "sort"), 48))
    seed: int = 0

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return self.peak * min(1.0, (step + 1) / self.warmup) * 0.5 * (1.0 + math.cos(math.pi * step / self.steps))


class MaskedTrainingRun:
    """Model, optimiser and weight average at some step of a recipe."""

    def __init__(self, recipe: MaskedRecipe) -> None:
        self.recipe = recipe
        self.step = 0
        self.tokenizer = build_masked_tokenizer()
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.model = fresh_masked_model().train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.average = WeightAverage(self.model)

    def advance(self) -> dict[str, float]:
        """Take one optimiser step; the loss of each bucket, by its first task."""
        losses = {}
        for index, bucket in enumerate(self.recipe.buckets):
            loss = self._loss(bucket, index)
            loss.backward()
            losses[bucket[0][0]] = loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, self.step)
        self.step += 1
        return losses

    def _loss(self, bucket: Bucket, index: int) -> torch.Tensor:
        recipe = self.recipe
        skew, easy = recipe.skew, recipe.easy
        batch = make_masked_batch(
            bucket, self.tokenizer, seed=recipe.seed, step=self.step, index=index, skew=skew, easy=easy
        )
        clean, weight = torch.from_numpy(batch.clean), torch.from_numpy(batch.weight)
        noised, mask = torch.from_numpy(batch.noised), torch.from_numpy(batch.attention_mask)
        logits = self.model(noised, attention_mask=mask).logits
        each = cross_entropy(logits.flatten(0, 1), clean.flatten(), reduction="none").view_as(weight)
        return (each * weight).sum() / weight.sum()

    def averaged_model(self) -> Any:
        """Return a new model in evaluation mode that has the averaged weights."""
        with torch.random.fork_rng():
            model = fresh_masked_model()
        self.average.copy_to(model)
        return model.eval()

    def save(self, path: Path) -> None:
        """Write the state; an interrupt while writing leaves the previous file whole."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.weights,
        }
        written = io.BytesIO()
        torch.save(state, written)
        write_whole(path, written.getvalue())

    def restore(self, path: Path) -> None:
        """Go to a saved state of the same recipe.

        Raises
        ------
        DgemmaVizError
            The state is of another recipe.
        """
        state: dict[str, Any] = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise DgemmaVizError(
                f"{path} was saved by a run with other settings: {state['recipe']}. Use them, or --restart."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]
        self.step = state["step"]
