"""The training run: an object that takes one step at a time and can be saved and restored exactly.

Everything random is a pure function of the seed and the step number (batches, noise) or of the seed alone (initial
weights), so weights, optimisers, average and step are the whole state. What is evaluated and published is the running
average of the weights.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny.batches import Bucket, Draw
from dgemma_viz.tiny.schedule import Phase, Schedule
from dgemma_viz.tiny.workers import Team
from dgemma_viz.write_whole import write_whole

_MAX_GRADIENT_NORM = 1.0
ALONE = Team()

Objective = Callable[[Any, Any, Bucket, Draw, Callable[[Any], Any]], dict[str, torch.Tensor]]
"""Losses by name, to be added, of ``(model, tokenizer, bucket, draw, share)``; ``share`` takes this worker's rows."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run, except what is trained and the machine's arithmetic."""

    schedule: Schedule
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Learner:
    """What is trained.

    Attributes
    ----------
    fresh
        Makes the untrained model from torch's current random state.
    tokenizer
        Makes its tokenizer.
    objective
        See `Objective`.
    prepare
        Changes how the model that is trained computes, not what.
    """

    fresh: Callable[[], Any]
    tokenizer: Callable[[], Any]
    objective: Objective
    prepare: Callable[[Any], None] = lambda model: None  # noqa: ARG005


class WeightAverage:
    """Exponential moving average of a model's parameters, with a shorter memory during the first steps."""

    def __init__(self, model: Any, decay: float = 0.998) -> None:
        self.decay = decay
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    def update(self, model: Any, step: int) -> None:
        """Move towards the model's weights after the average's step `step`, counted from 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        names = list(self.weights)
        live = dict(model.named_parameters())
        with torch.no_grad():
            torch._foreach_lerp_([self.weights[name] for name in names], [live[name] for name in names], 1 - keep)

    def copy_to(self, model: Any) -> None:
        """Overwrite the model's parameters with the average."""
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.weights[name])


def _optimizers(model: Any) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the layers, AdamW for the rest: embeddings, router, experts (three axes), norms.

    Muon (Jordan and others, 2024; here ``torch.optim.Muon``) needed about two thirds of the steps in a trial on stories
    and grids. The learning rates of both follow the schedule, that of Muon being twice as high.
    """
    trained = {name: parameter for name, parameter in model.named_parameters() if "vision" not in name}
    matrices = {name for name, p in trained.items() if p.ndim == 2 and "embed" not in name and "router" not in name}  # noqa: PLR2004
    muon = [{"params": [trained[name] for name in trained if name in matrices], "factor": 2.0}]
    adam = [{"params": [trained[name] for name in trained if name not in matrices], "factor": 1.0}]
    return (
        torch.optim.Muon(muon, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(adam, betas=(0.95, 0.99), weight_decay=1e-4, fused=True),
    )


class TrainingRun:
    """Model, optimisers and weight average at some step of a recipe."""

    def __init__(self, learner: Learner, recipe: Recipe, *, team: Team = ALONE) -> None:
        self.learner = learner
        self.recipe = recipe
        self.team = team
        self.step = 0
        self.tokenizer = learner.tokenizer()
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.model = learner.fresh().train()
        learner.prepare(self.model)
        self.optimizers = _optimizers(self.model)
        self.average = WeightAverage(self.model)

    def advance(self, *, stop: bool = False) -> tuple[dict[str, dict[str, float]], bool]:
        """Take one optimiser step.

        Parameters
        ----------
        stop
            Whether this worker wants the run to end after this step.

        Returns
        -------
        tuple
            Losses by name for each bucket, by its first task and canvas, on this worker's share of the examples; and
            whether any worker wants to stop.
        """
        schedule, seen = self.recipe.schedule, {}
        began = schedule.average_began(self.step)
        if schedule.restarts(self.step):
            if began < self.step:
                self.average.copy_to(self.model)
            else:
                self.average = WeightAverage(self.model)
            self.optimizers = _optimizers(self.model)
        for index, bucket in enumerate(schedule.phase(self.step).buckets):
            draw = Draw(self.recipe.seed, self.step, index)
            losses = self.learner.objective(self.model, self.tokenizer, bucket, draw, self.team.share)
            (bucket.weight * sum(losses.values())).backward()
            seen[f"{bucket.tasks[0]} {bucket.canvas_length}"] = {name: loss.item() for name, loss in losses.items()}
        stop = self.team.average_gradients(self.model.parameters(), stop=stop)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT_NORM)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * schedule.learning_rate(self.step)
            optimizer.step()
            optimizer.zero_grad()
        self.average.update(self.model, self.step - began)
        self.step += 1
        return seen, stop

    def averaged_model(self) -> Any:
        """Return a new model in evaluation mode that has the averaged weights; the random state is left alone."""
        with torch.random.fork_rng():
            model = self.learner.fresh()
        self.average.copy_to(model)
        return model.eval()

    def save(self, path: Path) -> None:
        """Write the state; an interrupt while writing leaves the previous file whole."""
        state = {
            "recipe": self.recipe,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.weights,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        written = io.BytesIO()
        torch.save(state, written)
        write_whole(path, written.getvalue())

    def restore(self, path: Path) -> None:
        """Go to a saved state of the same recipe, or of one that differs only in steps not yet taken.

        Raises
        ------
        DgemmaVizError
            The state is of another recipe.
        """
        with torch.serialization.safe_globals([Recipe, Schedule, Phase, Bucket]):
            state: dict[str, Any] = torch.load(path, weights_only=True)
        saved, step = state["recipe"], state["step"]
        same_past = saved.schedule.agrees_until(self.recipe.schedule, step)
        if not same_past or replace(saved, schedule=self.recipe.schedule) != self.recipe:
            raise DgemmaVizError(f"{path} was saved by a run with other settings: {saved}. Use them, or --restart.")
        self.model.load_state_dict(state["model"])
        for optimizer, held in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(held)
        self.average.weights = state["average"]
        self.step = step
