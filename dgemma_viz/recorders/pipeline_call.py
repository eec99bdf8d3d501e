"""One call of ``DiffusionGemmaPipeline`` as it is followed: canvas by canvas, step by step.

Corrector sweeps. A sweep resamples from a conditional of its own, the leave-one-out one (arXiv 2605.22765, as in
``DiscreteDDIMScheduler.step_correct``), so that is what entropy, alternatives and probabilities are of. Its draft is
the argmax of the model's logits nevertheless, as in every other step, and need not be the most probable alternative:
the conditional leaves out what the token at the position says of itself. The pipeline looks at its stop rule only after
the last sweep that follows a step, and never at a sweep's draft.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from dgemma_viz.recorders.best import first_best
from dgemma_viz.recorders.pipeline_stopping import PipelineStopping
from dgemma_viz.recorders.reduce import DTYPES, reduce_logits
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.recorders.sampler_numbers import SamplerNumbers
from dgemma_viz.recorders.scheduler_decisions import Decided, Follower
from dgemma_viz.trace.decision import Phase


@dataclass
class PipelineCall:
    """Takes what the hooks see. Of a step, first :meth:`begin_step`, then :meth:`complete_step` or ``_sweep``."""

    run: Run
    given: Mapping[str, Any]
    """Arguments of the call by name, defaults included."""
    scheduler: Any
    follower: Follower
    canvas_length: int
    top_k: int
    watched_step: Any = None
    """``step`` of the scheduler's class, if entropies are seen in it (:mod:`~dgemma_viz.recorders.sampler_numbers`)."""
    _stopping: PipelineStopping | None = field(default=None, init=False)
    """Of the canvas that has begun; None before its first step."""
    _sweeps_left: int = field(default=0, init=False)
    _begun: dict[str, torch.Tensor] = field(default_factory=dict, init=False)
    _ended: torch.Tensor | None = field(default=None, init=False)
    """Rows that have emitted the end of their sequence, ``(B,)``."""

    def begin(self, ids: torch.Tensor, mask: torch.Tensor) -> None:
        """Prompt and its mask, ``(B, P)``."""
        self.run.prompt = (self.run.copies.take(ids, torch.int32), self.run.copies.take(mask, torch.bool))

    def begin_canvas(self, context: torch.Tensor) -> None:
        """The encoder reads what is new to it: the prompt, later the canvas before, as it was appended."""
        if self.run.steps:
            self.take_emitted(context)
        self._stopping = None

    def take_emitted(self, ids: torch.Tensor) -> None:
        """A canvas is appended: the last of ``ids`` ``(B, >= C)``."""
        canvas, ended = ids[:, -self.canvas_length :], self._ended
        if ended is None:
            ended = torch.zeros(canvas.shape[0], dtype=torch.bool, device=canvas.device)
        self.run.emitted.append(
            (self.run.copies.take(canvas, torch.int32), self.run.copies.take(ended, torch.bool)),
        )
        for token in self.run.facts.eos_token_ids:
            ended = ended | (canvas == token).any(dim=-1)
        self._ended = ended

    def begin_step(self, sample: torch.Tensor) -> None:
        """A step reads a canvas ``(B, C)``."""
        if self._stopping is None:
            self._stopping = PipelineStopping.begin(sample, self.given)
        take = self.run.copies.take
        self._begun = {"noised": take(sample, torch.int32), "active": take(~self._stopping.finished, torch.bool)}

    def complete_step(self, given: Mapping[str, Any], output: Any, wall_time: float, numbers: SamplerNumbers) -> None:
        """``scheduler.step`` was given its arguments by name, was seen to compute these numbers, and returned."""
        logits, decided = output.pred_logits, self.follower.after(given, output)
        known = numbers.complete(logits)
        bitwise = not math.isnan(decided.entropy_bound)  # entropies decide
        reduced = reduce_logits(decided.logits, decided.candidate, self.top_k, known, bitwise=bitwise)
        as_sampled = decided.logits is logits or (logits is given["model_output"] and decided.temperature == 1.0)
        draft = reduced["draft"] if as_sampled else first_best(logits)
        self._stop_rule.step(logits, draft, known[0] if known and logits.dtype == torch.float32 else None)
        self._sweeps_left = self._sweeps_after(int(given["timestep"]))
        self._keep(decided, reduced | {"draft": self._stop_rule.draft}, wall_time, Phase.DENOISE)

    def complete_sweep(self, given: Mapping[str, Any], decided: Decided, wall_time: float) -> None:
        """``scheduler.step_correct`` was given its arguments by name, and returned."""
        rule, reduced = self._stop_rule, reduce_logits(decided.logits, decided.candidate, self.top_k)
        draft = torch.where(rule.finished[:, None], rule.draft, first_best(given["model_output"]))
        confidence = decided.logits.gather(-1, draft[..., None])[..., 0].exp()
        self._sweeps_left -= 1
        self._keep(decided, reduced | {"draft": draft, "confidence": confidence}, wall_time, Phase.CORRECT)

    @property
    def _stop_rule(self) -> PipelineStopping:
        assert self._stopping is not None  # noqa: S101 - the step has begun
        return self._stopping

    def _sweeps_after(self, step: int) -> int:
        """Sweeps that follow a step: the pipeline folds them into the number of decoder passes that it was given."""
        sweeps = int(getattr(self.scheduler.config, "corrector_steps", 0))
        corrected = (self.given["num_inference_steps"] - 1) // (1 + sweeps) if sweeps > 0 else 0
        return sweeps if step < corrected else 0

    def _keep(self, decided: Decided, reduced: Mapping[str, torch.Tensor], wall_time: float, phase: Phase) -> None:
        if not self._sweeps_left:
            self._stop_rule.look()
        take = self.run.copies.take
        tensors = {
            **self._begun,
            "candidate": take(decided.candidate, torch.int32),
            "decision": take(decided.decision, torch.uint8),
            "draft": take(reduced["draft"], torch.int32),
            "finished": take(self._stop_rule.finished, torch.bool),
            **{name: take(reduced[name], dtype) for name, dtype in DTYPES.items()},
        }
        canvas, step = self.run.next_place
        self.run.steps.append(
            Step(canvas, step, tensors, decided.temperature, decided.entropy_bound, wall_time, int(phase))
        )
