"""One call of ``DiffusionGemmaPipeline`` as it is followed: its settings, canvas by canvas, step by step.

Corrector sweeps. A sweep resamples from a conditional of its own, the leave-one-out one (arXiv 2605.22765, as in
``DiscreteDDIMScheduler.step_correct``), so that is what entropy, alternatives and probabilities are of. Its draft is
the argmax of the model's logits nevertheless, as in every other step, and need not be the most probable alternative:
the conditional leaves out what the token at the position says of itself. The pipeline looks at its stop rule only after
the last sweep that follows a step, and never at a sweep's draft.

Stopping. Which samples of a canvas the pipeline has declared finished is a local variable of its loop. It is repeated
here operation by operation from diffusers 0.42 (``DiffusionGemmaPipeline.__call__``, "Adaptive stopping"), on the same
logits, because nothing shows it from outside. It changes nothing: a finished sample's canvas is its draft from then on,
and the loop ends once all are finished.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from dgemma_viz.recorders.reduce import DTYPES, entropy_of, first_best, reduce_logits
from dgemma_viz.recorders.registry import unwrapped
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.recorders.run_facts import diffusion_gemma_facts, with_pipeline_call
from dgemma_viz.recorders.running_sampler import SamplerNumbers
from dgemma_viz.recorders.scheduler_decisions import Decided, Follower
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.task import RunTask

_ASKED = ("stability_threshold", "confidence_threshold", "cache_implementation", "eos_early_stop")
_RULED_BY_PIPELINE = {"num_inference_steps", "block_length"}
"""Of the scheduler's config: the number of steps is the call's, and a block is the model's canvas."""


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
    """``step`` of the scheduler's class, if entropies are seen in it (:mod:`~dgemma_viz.recorders.running_sampler`)."""
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


@dataclass
class PipelineStopping:
    """Follows the adaptive stopping of one canvas: :meth:`step`, then :meth:`look` after its corrector sweeps."""

    confidence_threshold: float | None
    finished: torch.Tensor
    """Samples that are finished as far as the pipeline knows, bool ``(B,)``."""
    draft: torch.Tensor
    """Ids ``(B, C)``; those of finished samples no longer change."""
    _history: torch.Tensor
    """The drafts before, oldest first, ``(stability_threshold, B, C)``."""
    _next: torch.Tensor
    """What ``finished`` becomes when the pipeline looks."""

    @classmethod
    def begin(cls, canvas: torch.Tensor, given: Mapping[str, Any]) -> Self:
        """At a canvas ``(B, C)`` of noise, by the thresholds that the pipeline's call was given."""
        none = torch.zeros(canvas.shape[0], dtype=torch.bool, device=canvas.device)
        history = canvas.new_full((max(given["stability_threshold"], 1), *canvas.shape), -1)
        return cls(given["confidence_threshold"], none, canvas.clone(), history, none)

    def step(self, logits: torch.Tensor, draft: torch.Tensor, entropy: torch.Tensor | None) -> None:
        """Take the scheduler's ``pred_logits`` ``(B, C, V)`` of a step, and what is known of them.

        Parameters
        ----------
        logits
            ``pred_logits``.
        draft
            Their argmax, ``(B, C)``.
        entropy
            Their entropies ``(B, C)``, if they are known to the last bit. Where nothing has to wait for the question,
            they are not computed for drafts that have changed.
        """
        self.draft = torch.where(self.finished[:, None], self.draft, draft)
        if self.confidence_threshold is None:
            return
        stable = (self._history == self.draft[None]).all(dim=-1).all(dim=0)
        self._history = torch.cat([self._history[1:], self.draft[None]])
        if entropy is None and logits.device.type == "cpu" and not (stable & ~self.finished).any():
            self._next = self.finished
            return
        entropy = entropy_of(logits.float()) if entropy is None else entropy
        self._next = self.finished | (stable & (entropy.mean(-1) < self.confidence_threshold))

    def look(self) -> None:
        """The pipeline looks at its stop rule: finished samples are frozen at their draft."""
        self.finished = self._next


def facts_of_call(pipeline: Any, given: Mapping[str, Any], task: RunTask) -> RunFacts:
    """Facts of one call.

    Parameters
    ----------
    pipeline
        The pipeline that was called.
    given
        Arguments of the call by name, defaults included.
    task
        The caller's own facts.
    """
    facts = diffusion_gemma_facts(unwrapped(pipeline.model), task, given["generator"])
    config = pipeline.scheduler.config
    heeded = () if hasattr(config, "t_max") else ("temperature",)  # EntropyBoundScheduler has a schedule of its own
    return with_pipeline_call(facts, pipeline, given, (*_ASKED, *heeded), _settings(config))


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The scheduler's own settings; one of a user may hold what does not go into a trace."""
    return {
        name: value
        for name, value in dict(config).items()
        if not name.startswith("_") and name not in _RULED_BY_PIPELINE and isinstance(value, str | float | int | None)
    }
