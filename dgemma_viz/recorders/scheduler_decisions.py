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

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch

from dgemma_viz.trace.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Decided:
    """A step's outcome.

    Attributes
    ----------
    candidate
        Token ids sampled, ``(B, C)``.
    logits
        Logits ``(B, C, V)`` whose softmax was sampled from.
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
    codes = torch.full_like(where[0][0], int(Decision.NOISE), dtype=torch.uint8)
    for mask, decision in where:
        codes = torch.where(mask, torch.full_like(codes, int(decision)), codes)
    return codes


def _sampled_from(given: Mapping[str, Any]) -> tuple[torch.Tensor, float]:
    """Logits of the distribution that candidates come from, and the temperature."""
    temperature = float(given.get("temperature") or 0.0)
    logits: torch.Tensor = given["model_output"]
    return (logits / temperature, temperature) if temperature not in (0.0, 1.0) else (logits, 1.0)


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
        """``_committed`` is reset in step 0 and when another canvas shape comes."""
        committed, shape = self.scheduler._committed, given["sample"].shape
        fresh = int(given["timestep"]) == 0 or committed is None or committed.shape != shape
        self._committed = torch.zeros_like(given["sample"], dtype=torch.bool) if fresh else committed.clone()

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Committed before, now, or edited."""
        logits, temperature = _sampled_from(given)
        assert self._committed is not None  # noqa: S101 - before() ran
        decision = _codes(
            (self._committed, Decision.KEPT),
            (output.transfer_index, Decision.ACCEPTED),
            (output.editing_transfer_index, Decision.EDITED),
        )
        return Decided(output.sampled_tokens, logits, decision, temperature)


@dataclass
class DiscreteDDIM:
    """``DiscreteDDIMScheduler`` and its corrector; remembers which positions hold a token that was once a candidate."""

    scheduler: Any
    _clean: torch.Tensor | None = field(default=None, init=False)
    _chosen: tuple[torch.Tensor, torch.Tensor] | None = field(default=None, init=False)
    """Positions ``(B, k)`` that the running sweep resamples, and the log-probabilities that it draws from."""

    def before(self, given: Mapping[str, Any]) -> None:
        """A canvas begins with noise."""
        if int(given["timestep"]) == 0 or self._clean is None or self._clean.shape != given["sample"].shape:
            self._clean = torch.zeros_like(given["sample"], dtype=torch.bool)

    def after(self, given: Mapping[str, Any], output: Any) -> Decided:
        """Route by what the position holds afterwards."""
        logits, temperature = _sampled_from(given)
        took = output.prev_sample == output.sampled_tokens
        stayed = (output.prev_sample == given["sample"]) & self._known
        decision = _codes((stayed, Decision.KEPT), (took, Decision.ACCEPTED))
        self._clean = took | stayed
        return Decided(output.sampled_tokens, logits, decision, temperature)

    def chosen(self, positions: torch.Tensor, log_probabilities: torch.Tensor) -> None:
        """What ``_select_positions`` returned, and the conditional that it was given."""
        self._chosen = (positions, log_probabilities)

    def after_sweep(self, output: Any) -> Decided:
        """Resampled positions were corrected; the others are what they were."""
        if self._chosen is None:
            raise RuntimeError("the corrector did not select positions")
        positions, log_probabilities = self._chosen
        self._chosen = None
        corrected = torch.zeros_like(self._known).scatter(-1, positions, value=True)
        decision = _codes((self._known, Decision.KEPT), (corrected, Decision.CORRECTED))
        self._clean = self._known | corrected
        return Decided(output.prev_sample, log_probabilities, decision, 1.0)

    @property
    def _known(self) -> torch.Tensor:
        assert self._clean is not None  # noqa: S101 - before() ran
        return self._clean


FOLLOWERS: dict[str, Callable[[Any], Follower]] = {
    "EntropyBoundScheduler": EntropyBound,
    "BlockRefinementScheduler": BlockRefinement,
    "DiscreteDDIMScheduler": DiscreteDDIM,
}
"""By a name in the scheduler's method resolution order."""
