"""What is seen of one denoising step while it runs: collected piece by piece, kept only when the step is complete."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TemperatureLogitsWarper

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.reduce import DTYPES, accepted_by_rule, reduce_logits
from dgemma_viz.recorders.ruled_out import SeenBefore, cuts_off, may_rule_out, own_draft, ruled_out
from dgemma_viz.recorders.run_buffer import Run, StaleSamplerWarning, Step
from dgemma_viz.recorders.run_facts import with_sampler
from dgemma_viz.recorders.running_sampler import SamplerNumbers, bound_of, staleness
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.upstream.torch_compile import is_compiled, owner_of
from dgemma_viz.upstream.transformers import LinearTemperatureScheduleLogitsProcessor


@dataclass
class StepCapture:
    """One call of ``_denoising_step``: :meth:`begin`, then :meth:`accept`, then :meth:`complete`."""

    run: Run
    inputs: Mapping[str, Any]
    """Arguments of ``_denoising_step`` by name."""
    top_k: int
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    entropy_bound: float = float("nan")
    own_draft: torch.Tensor | None = None
    """Argmax ``(B, C)`` of the model's own logits, in calls whose processors may rule it out."""

    changed: dict[str, Any] = field(default_factory=dict)
    """Arguments that the step is to be given in place of its own."""

    def watch_processors(self) -> None:
        """Have a look at the logits before processors that may rule tokens out."""
        processors = self.inputs["logits_processor"]
        if may_rule_out(processors):
            self.changed["logits_processor"] = SeenBefore(processors, self._see_own)

    def _see_own(self, logits: torch.Tensor) -> None:
        def see() -> None:
            self.own_draft = own_draft(logits)

        self.run.attempt(see)

    def begin(self) -> None:
        """Take what the step reads; ``finished_denoising`` is changed in place later, so now."""
        self.tensors["noised"] = self.run.copies.take(self.inputs["current_canvas"], torch.int32)
        self.tensors["active"] = self.run.copies.take(~self.inputs["finished_denoising"], torch.bool)
        if not self.run.facts.sampler:
            self.run.facts = with_sampler(self.run.facts, self.inputs["sampler"], self.inputs["logits_processor"])

    def accept(
        self, method: Any, given: Mapping[str, Any], accepted_canvas: torch.Tensor, numbers: SamplerNumbers
    ) -> None:
        """Take what ``sampler.accept_canvas`` was given and decided, right after it ran.

        Parameters
        ----------
        method
            The ``accept_canvas`` that ran, compiled or not.
        given
            Its arguments by name; ``denoiser_canvas`` ``(B, C)`` and ``logits`` ``(B, C, V)`` are read.
        accepted_canvas
            Its result ``(B, C)``.
        numbers
            What it was seen to compute.
        """
        candidate, logits = given["denoiser_canvas"], given["logits"]
        asked = self.inputs["sampler"]
        running = owner_of(method, asked)
        renoising = owner_of(getattr(asked, "renoise_canvas", None), asked)
        if notice := staleness(asked, running, renoising):
            self.run.warn(notice, StaleSamplerWarning)
        self.entropy_bound = bound_of(running)
        known, bitwise = numbers.complete(logits), not is_compiled(method)
        reduced = reduce_logits(logits, candidate, self.top_k, known, bitwise=bitwise)
        mask = getattr(running, "accepted_token_mask", None)
        if not isinstance(mask, torch.Tensor) or mask.shape != candidate.shape:
            mask = self._derived_mask(reduced["entropy"], candidate, accepted_canvas)
        self.tensors["candidate"] = self.run.copies.take(candidate, torch.int32)
        self.tensors["accepted"] = self.run.copies.take(mask, torch.bool)
        for name, dtype in DTYPES.items():
            self.tensors[name] = self.run.copies.take(reduced[name], dtype)
        if self.own_draft is not None:
            processors, remaining = self.inputs["logits_processor"], int(self.inputs["cur_step"])
            divided_by = math.prod(temperatures_of(processors, remaining))
            found = ruled_out(logits, self.own_draft, divided_by, cut_off=cuts_off(processors))
            self.tensors |= {name: self.run.copies.take(values, torch.int32) for name, values in found.items()}

    def complete(self, result: tuple[torch.Tensor, ...], wall_time: float) -> None:
        """Take what the step returned, and append it to the run as a whole."""
        if "candidate" not in self.tensors:
            raise RecordingError("the sampler's accept_canvas did not run in this denoising step")
        _, draft, _, finished = result
        self.tensors["draft"] = self.run.copies.take(draft, torch.int32)
        self.tensors["finished"] = self.run.copies.take(finished, torch.bool)
        canvas, step = self.run.next_place
        self.run.steps.append(Step(canvas, step, self.tensors, self._temperature(), self.entropy_bound, wall_time))

    def _derived_mask(
        self, entropy: torch.Tensor, candidate: torch.Tensor, accepted_canvas: torch.Tensor
    ) -> torch.Tensor:
        if math.isnan(self.entropy_bound):
            how, mask = "where the accepted canvas holds the candidate", accepted_canvas == candidate
        else:
            how, mask = "from the entropies and the bound", accepted_by_rule(entropy, self.entropy_bound)
        text = f"the running sampler shows no accepted mask; 'accepted' was derived {how}"
        self.run.warn(Notice(NoticeCode.ACCEPTED_DERIVED, text))
        return mask

    def _temperature(self) -> float:
        processors = self.inputs["logits_processor"]
        temperatures = list(temperatures_of(processors, int(self.inputs["cur_step"])))
        schedules = sum(type(processor) is LinearTemperatureScheduleLogitsProcessor for processor in processors)
        if schedules > 1:
            text = (
                f"{schedules} temperature schedules divided the logits, one after the other: generate() appends its "
                "own to the LogitsProcessorList that it is given. Pass a new list to each call"
            )
            self.run.warn(Notice(NoticeCode.REPEATED_SCHEDULE, text))
        return math.prod(temperatures) if temperatures else float("nan")


def temperatures_of(processors: Iterable[Any], remaining: int) -> Iterable[float]:
    """What each known temperature processor divides the logits by, with ``remaining`` steps to go (the last has 1).

    Formula of ``LinearTemperatureScheduleLogitsProcessor.__call__``. Exact types only: a subclass may divide by
    something else.
    """
    for processor in processors:
        if type(processor) is LinearTemperatureScheduleLogitsProcessor:
            share = remaining / processor.max_denoising_steps
            yield processor.t_min + (processor.t_max - processor.t_min) * share
        elif type(processor) is TemperatureLogitsWarper:
            yield float(processor.temperature)
