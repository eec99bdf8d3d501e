"""The training run: an object that takes one step at a time and can be saved and restored exactly.

Everything random is a pure function of the seed and the step number (batches, noise) or of the seed alone (initial
weights), so weights, optimiser, average and step are the whole state. What is
evaluated and published is the running average of the weights.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny import experts
from dgemma_viz.tiny.architecture import fresh_model
from dgemma_viz.tiny.batches import Bucket, make_batch
from dgemma_viz.tiny.objective import losses
from dgemma_viz.tiny.schedule import Phase, Schedule
from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.workers import Team
from dgemma_viz.write_whole import write_whole


class WeightAverage:
    """Exponential moving average of a model's parameters, with a shorter memory during the first steps."""

    def __init__(self, model: Any, decay: float = 0.998) -> None:
        self.decay = decay
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    def update(self, model: Any, step: int) -> None:
        """Move towards the model's weights after optimiser step `step`, counted from 0."""
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


_MAX_GRADIENT_NORM = 1.0
ALONE = Team()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run, except the machine's arithmetic.

    Attributes
    ----------
    bfloat16
        Multiply matrices in bfloat16 (several times faster on a CPU with AMX); weights stay in float32.
    """

    schedule: Schedule
    seed: int = 0
    bfloat16: bool = False


class TrainingRun:
    """Model, optimiser and weight average at some step of a recipe."""

    def __init__(self, recipe: Recipe, *, team: Team = ALONE, compiled: bool = False) -> None:
        self.recipe = recipe
        self.team = team
        self.step = 0
        self.tokenizer = build_tokenizer()
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.model = fresh_model().train()
        experts.use_dense_experts(self.model)
        trained = [parameter for name, parameter in self.model.named_parameters() if "vision" not in name]
        self.optimizer = torch.optim.AdamW(
            trained, lr=recipe.schedule.peak, betas=(0.95, 0.99), weight_decay=1e-4, fused=True
        )
        self.average = WeightAverage(self.model)
        self._losses = torch.compile(losses, dynamic=False) if compiled else losses

    def advance(self, *, stop: bool = False) -> tuple[dict[str, tuple[float, float]], bool]:
        """Take one optimiser step.

        Parameters
        ----------
        stop
            Whether this worker wants the run to end after this step.

        Returns
        -------
        tuple
            (denoising loss, next-token loss) for each bucket, by its first task, on this worker's share of the
            examples; and whether any worker wants to stop.
        """
        schedule, seen = self.recipe.schedule, {}
        for index, bucket in enumerate(schedule.phase(self.step).buckets):
            denoising, next_token = self._bucket_losses(bucket, index)
            (bucket.weight * (denoising + next_token)).backward()
            seen[f"{bucket.tasks[0]} {bucket.canvas_length}"] = (denoising.item(), next_token.item())
        stop = self.team.average_gradients(self.model.parameters(), stop=stop)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.learning_rate(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, self.step)
        self.step += 1
        return seen, stop

    def _bucket_losses(self, bucket: Bucket, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        skew = self.recipe.schedule.phase(self.step).skew
        batch = make_batch(bucket, self.tokenizer, seed=self.recipe.seed, step=self.step, index=index, skew=skew)
        share = {name: torch.from_numpy(self.team.share(array)) for name, array in asdict(batch).items()}
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.recipe.bfloat16):
            pair: tuple[torch.Tensor, torch.Tensor] = self._losses(
                self.model, share, prompt=bucket.prompt_length, answer=bucket.answer_length
            )
        return pair

    def save(self, path: Path) -> None:
        """Write the state; an interrupt while writing leaves the previous file whole."""
        state = {
            "recipe": self.recipe,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.weights,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        written = io.BytesIO()
        torch.save(state, written)
        write_whole(path, written.getvalue())

    def restore(self, path: Path) -> None:
        """Go to a saved state of the same recipe, or of one that differs only in steps not yet taken."""
        with torch.serialization.safe_globals([Recipe, Schedule, Phase, Bucket]):
            state: dict[str, Any] = torch.load(path, weights_only=True)
        saved, step = state["recipe"], state["step"]
        same_past = saved.schedule.agrees_until(self.recipe.schedule, step)
        if not same_past or replace(saved, schedule=self.recipe.schedule) != self.recipe:
            raise DgemmaVizError(f"{path} was saved by a run with other settings: {saved}. Use them, or --restart.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]
        self.step = step
