"""One step of an own loop: judged as it is handed over, so that nothing wrong gets into the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.own_loop_arrays import in_vocabulary, per_position, per_sample
from dgemma_viz.recorders.own_loop_outcome import masked_outcome
from dgemma_viz.recorders.own_loop_reduce import is_torch, reduce_any
from dgemma_viz.trace.decision import Decision, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dgemma_viz.recorders.own_loop_arrays import Array


@dataclass
class OwnStep:
    """A step as it was handed over; with a mask token, what became of its positions follows from the next one."""

    canvas: int
    number: int
    values: dict[str, Array]
    """By the names of :data:`dgemma_viz.trace.schema.ARRAYS`, each without its axis ``S``."""
    accepted: Array | None = None
    """As it was given for a model with a mask token, where it may mean "put there now"."""
    after: Array | None = None
    """What the next step read, or what was emitted."""

    @classmethod
    def of(cls, where: str, canvas: int, number: int, values: dict[str, Array], mask: int | None) -> Self:
        """Step whose outcome does not contradict itself.

        Raises
        ------
        RecordingError
            It does.
        """
        accepted, decision = values.get("accepted"), values.get("decision")
        if decision is not None:
            if accepted is not None and ((decision != Decision.NOISE) != accepted).any():
                raise RecordingError(
                    f"{where}: 'accepted' and 'decision' contradict each other: a position is accepted where its "
                    "decision is not noise. Give one of them"
                )
            return cls(canvas, number, values | {"accepted": decision != Decision.NOISE})
        if mask is None:
            return cls(canvas, number, values)
        return cls(canvas, number, {name: value for name, value in values.items() if name != "accepted"}, accepted)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples and positions."""
        return self.values["noised"].shape

    def settled(self, mask: int | None) -> dict[str, Array]:
        """All values, with what became of the positions as far as it is known."""
        if mask is None or "decision" in self.values:
            return self.values
        decision = masked_outcome(self.values["noised"], self.after, mask, self.accepted)
        return self.values | {"decision": decision, "accepted": decision != Decision.NOISE}


def judge_arrays(where: str, given: Mapping[str, Any], first: OwnStep | None) -> dict[str, Array]:
    """Arrays of the positions, in their dtypes and with their axis of samples; None is left out."""
    shape = None
    if first is not None:
        shape = first.shape
        length = (np.shape(given["noised"]) or (0,))[-1]
        if length != shape[1]:
            raise RecordingError(
                f"{where}: this canvas has {length} positions, but the first one has {shape[1]}: the canvases of a "
                "trace are equally long. Pad it, or record it with another Recorder"
            )
    values = {"noised": per_position(where, "noised", given["noised"], shape)}
    for name, value in given.items():
        if value is not None:
            values[name] = per_position(where, name, value, values["noised"].shape)
    ids, probabilities = values.get("top_k_ids"), values.get("top_k_probabilities")
    if (ids is None) != (probabilities is None) or (
        ids is not None and probabilities is not None and ids.shape != probabilities.shape
    ):
        raise RecordingError(f"{where}: 'top_k_ids' and 'top_k_probabilities' belong together, in one shape")
    return values


def reduce_step(where: str, logits: Any, values: Mapping[str, Array], top_k: int) -> tuple[dict[str, Array], int]:
    """What the logits say of each position, and the size of their vocabulary."""
    logits = logits if is_torch(logits) else np.asarray(logits)
    shape = values["noised"].shape
    if logits.ndim == 2:  # noqa: PLR2004
        logits = logits[None]
    if tuple(logits.shape[:-1]) != shape:
        raise RecordingError(
            f"{where}: 'logits' have shape {tuple(logits.shape)}, but 'noised' is for {shape[0]} sample(s) of "
            f"{shape[1]} positions: hand over the logits of these positions, ({shape[0]}, {shape[1]}, vocabulary)"
        )
    size = int(logits.shape[-1])
    in_vocabulary(where, values, size)
    reduced = reduce_any(logits, values.get("candidate"), top_k)
    return {name: per_position(where, name, value, shape) for name, value in reduced.items()}, size


def judge_states(where: str, samples: int, active: Any, finished: Any, phase: int) -> dict[str, Array]:
    """State of the samples, and the phase of the step."""
    if phase not in tuple(Phase):
        raise RecordingError(f"{where}: 'phase' is {phase!r}; it must be a code of dgemma_viz.trace.Phase")
    values = {"active": per_sample(where, "active", active, samples), "phase": np.array(phase, dtype=np.uint8)}
    return values if finished is None else values | {"finished": per_sample(where, "finished", finished, samples)}


def check_like(where: str, step: OwnStep, first: OwnStep | None) -> None:
    """Refuse a step that has other arrays than the first one, or that lacks a draft."""
    values = step.values
    if "draft" not in values:
        if "candidate" not in values:
            raise RecordingError(f"{where}: give 'logits', or 'draft' (the argmax token ids)")
        values["draft"] = values["candidate"]
    if first is None:
        return
    if different := sorted(first.values.keys() ^ values.keys()):
        name = different[0]
        which = "the first step" if name in first.values else "this step"
        raise RecordingError(f"{where}: only {which} has '{name}': hand it over in every step, or in none")
    if "top_k_ids" in values and values["top_k_ids"].shape != first.values["top_k_ids"].shape:
        here, before = values["top_k_ids"].shape[-1], first.values["top_k_ids"].shape[-1]
        raise RecordingError(f"{where}: there are {here} alternatives, but {before} in the first step")
