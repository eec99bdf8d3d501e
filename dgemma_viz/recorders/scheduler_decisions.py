"""What diffusers' schedulers decided in a step, from their step output and their state.

Each class follows one scheduler of ``DiffusionGemmaPipeline`` (diffusers 0.42) through the steps of a canvas:
:meth:`before` is called with the step's arguments before the scheduler's ``step`` runs, :meth:`after` with its output.

What the outputs do not say:

- ``DiscreteDDIMScheduler`` draws one of three routes for each position (take the candidate, stay, become noise), which
  is not part of its output. A position that holds the candidate afterwards counts as accepted, whichever route led
  there; one that holds what it held before has stayed; everything else is noise. A token that stays is *kept* if an
  earlier candidate put it there, and noise otherwise.
- Its corrector's output lacks the positions that it resampled: they are taken from ``_select_positions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from dgemma_viz.errors import RecordingError
from dgemma_viz.trace.decision import Decision
from dgemma_viz.upstream.diffusers import committed


@dataclass(frozen=True)
class Decided:
    """A step's outcome.

    Attributes
    ----------
    candidate
        Token ids sampled, ``(B, C)``.
    logits
        Logits ``(B, C, V)`` whose softmax was sampled from; of a corrector sweep, logarithms of the probabilities.
    decision
        Codes of :class:`~dgemma_viz.trace.decision.Decision`, ``(B, C)``.
    temperature
        What the model's logits were divided by; 1 where the most probable token was taken without sampling.
    entropy_bound
        Nats; NaN where the scheduler has none.
    """

    candidate: torch.Tensor
    logits: torch.Tensor
    decision: torch.Tensor
    temperature: float
    entropy_bound: float = float("nan")


class Follower(Protocol):
    """Follows one scheduler through a run."""

    def before(self, given: Mapping[str, Any]) -> None:
        """Take what the step may change."""

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Say what it decided."""


def _codes(*where: tuple[torch.Tensor, Decision]) -> torch.Tensor:
    """Decisions from masks, later ones going before earlier ones; noise elsewhere."""
    (first, decision), *rest = where
    codes = first.to(torch.uint8) * int(decision)  # noise is 0
    for mask, decision in rest:
        codes = codes.masked_fill(mask, int(decision))
    return codes


def _temperature(given: Mapping[str, Any]) -> float:
    """What the logits are divided by; 1 where nothing is sampled."""
    return float(given.get("temperature") or 1.0)


def _divided(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    return logits if temperature == 1.0 else logits / temperature


@dataclass
class EntropyBound:
    """``EntropyBoundScheduler``: accepted or re-noised, chosen anew in each step."""

    scheduler: Any

    def before(self, given: Mapping[str, Any]) -> None:
        """Nothing is kept from step to step."""

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """``pred_logits`` are the logits after temperature."""
        config, steps = self.scheduler.config, self.scheduler.num_inference_steps
        fraction = (steps - int(given["timestep"])) / steps
        bound = given.get("entropy_bound")
        return Decided(
            output.sampled_tokens,
            output.pred_logits,
            _codes((output.accepted_index, Decision.ACCEPTED)),
            config.t_min + (config.t_max - config.t_min) * fraction,
            float(config.entropy_bound if bound is None else bound),
        )


@dataclass
class BlockRefinement:
    """``BlockRefinementScheduler`` without a mask token: commits are sticky, edits replace them."""

    scheduler: Any
    _committed: torch.Tensor | None = field(default=None, init=False)

    def before(self, given: Mapping[str, Any]) -> None:
        """What is committed is reset in step 0 and when another canvas shape comes."""
        before, sample = committed(self.scheduler), given["sample"]
        if int(given["timestep"]) == 0 or before is None or before.shape != sample.shape:
            before = torch.zeros_like(sample, dtype=torch.bool)
        self._committed = before.clone()

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Committed before and still, now, or edited."""
        before, now = self._committed, committed(self.scheduler)
        assert before is not None  # noqa: S101 - before() ran
        assert now is not None  # noqa: S101 - and so did the step
        decision = _codes(
            (before & now, Decision.KEPT),
            (output.transfer_index, Decision.ACCEPTED),
            (output.editing_transfer_index, Decision.EDITED),
        )
        temperature = _temperature(given)
        logits = _divided(given["model_output"], temperature).float()
        return Decided(output.sampled_tokens, logits, decision, temperature)


@dataclass
class DiscreteDDIM:
    """``DiscreteDDIMScheduler`` and its corrector; remembers which positions hold a token that was once a candidate."""

    scheduler: Any
    _clean: torch.Tensor | None = field(default=None, init=False)
    _left: torch.Tensor | None = field(default=None, init=False)
    """The canvas as the last step or sweep left it."""
    _chosen: tuple[torch.Tensor, torch.Tensor] | None = field(default=None, init=False)
    """Positions ``(B, k)`` that the running sweep resamples, and the log-probabilities that it draws from."""

    def before(self, given: Mapping[str, Any]) -> None:
        """A canvas begins with noise."""
        sample = given["sample"]
        if int(given["timestep"]) == 0 or self._left is None or self._left.shape != sample.shape:
            self._leave(sample, torch.zeros_like(sample, dtype=torch.bool))
        self._see(sample)

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Route by what the position holds afterwards."""
        took = output.prev_sample == output.sampled_tokens
        stayed = (output.prev_sample == given["sample"]) & self._known
        decision = _codes((stayed, Decision.KEPT), (took, Decision.ACCEPTED))
        self._leave(output.prev_sample, took | stayed)
        temperature = _temperature(given)
        logits = _divided(given["model_output"].float(), temperature)
        return Decided(output.sampled_tokens, logits, decision, temperature)

    def chosen(self, positions: torch.Tensor, log_probabilities: torch.Tensor) -> None:
        """What ``_select_positions`` returned, and the conditional that it was given."""
        self._chosen = (positions, log_probabilities)

    def after_sweep(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Resampled positions were corrected; the others are what they were."""
        self._see(given["sample"])
        if self._chosen is None:
            raise RuntimeError("the corrector did not select positions")
        positions, log_probabilities = self._chosen
        self._chosen = None
        corrected = torch.zeros_like(self._known).scatter(-1, positions, value=True)
        decision = _codes((self._known, Decision.KEPT), (corrected, Decision.CORRECTED))
        self._leave(output.prev_sample, self._known | corrected)
        return Decided(output.prev_sample, log_probabilities, decision, 1.0)

    def _leave(self, canvas: torch.Tensor, clean: torch.Tensor) -> None:
        self._left, self._clean = canvas.clone(), clean

    def _see(self, canvas: torch.Tensor) -> None:
        """What a callback put into the canvas since the last step was no candidate."""
        self._clean = self._known & (canvas == self._left)

    @property
    def _known(self) -> torch.Tensor:
        assert self._clean is not None  # noqa: S101 - before() ran
        return self._clean


FOLLOWERS: dict[str, Callable[[Any], Follower]] = {
    "EntropyBoundScheduler": EntropyBound,
    "BlockRefinementScheduler": BlockRefinement,
    "DiscreteDDIMScheduler": DiscreteDDIM,
}
"""By class name."""


def followed_class(scheduler: Any) -> type:
    """The scheduler's class, or the base of it, that there is a follower for.

    Raises
    ------
    RecordingError
        There is none.
    """
    for cls in type(scheduler).__mro__:
        if cls.__name__ in FOLLOWERS:
            return cls
    raise RecordingError(
        f"the scheduler {type(scheduler).__name__} is not known: recording follows {', '.join(FOLLOWERS)}. For another "
        "one, record its steps with dv.Recorder"
    )
