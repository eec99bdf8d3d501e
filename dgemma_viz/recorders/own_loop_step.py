"""One step of an own loop: judged as it is handed over, so that nothing wrong gets into the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.host_array import is_torch
from dgemma_viz.recorders.own_loop_arrays import Array, as_array, in_vocabulary, per_position, per_sample
from dgemma_viz.recorders.own_loop_outcome import masked_outcome
from dgemma_viz.recorders.own_loop_reduce import reduce_any
from dgemma_viz.trace.decision import Phase, is_accepted
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING
from dgemma_viz.trace.schema import OF_A_DECISION, RULED_OUT

_LEFT_OUT = f"leave out all of {', '.join(OF_A_DECISION)}"


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
            if accepted is not None and (is_accepted(decision) != accepted).any():
                raise RecordingError(
                    f"{where}: 'accepted' and 'decision' contradict each other: a position is accepted where its "
                    "decision is not noise. Give one of them"
                )
            return cls(canvas, number, values | {"accepted": is_accepted(decision)})
        if mask is None:
            return cls(canvas, number, values)
        return cls(canvas, number, {name: value for name, value in values.items() if name != "accepted"}, accepted)

    @property
    def decided(self) -> bool:
        """Whether it was handed anything of a decision."""
        return self.accepted is not None or not self.values.keys().isdisjoint(OF_A_DECISION)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples and positions."""
        return self.values["noised"].shape

    def settled(self, mask: int | None) -> dict[str, Array]:
        """All values, with what became of the positions as far as it is known."""
        if mask is None or "decision" in self.values:
            return self.values
        decision = masked_outcome(self.values["noised"], self.after, mask, self.accepted)
        return self.values | {"decision": decision, "accepted": is_accepted(decision)}


def judge_arrays(
    where: str, given: Mapping[str, Any], first: OwnStep | None, begun: OwnStep | None
) -> dict[str, Array]:
    """Arrays of the positions, in their dtypes and with their axis of samples; None is left out.

    ``first`` is the first step of the run, ``begun`` that of the canvas.
    """
    noised = per_position(where, "noised", given["noised"], None)
    samples, length = noised.shape
    if first is not None and samples != first.shape[0]:
        raise RecordingError(
            f"{where}: 'noised' is for {samples} sample(s) of {length} positions, but there are {first.shape[0]} "
            "sample(s) in the first step: hand over all of them in every step"
        )
    if begun is not None and length != begun.shape[1]:
        raise RecordingError(
            f"{where}: the canvas has {length} positions, but {begun.shape[1]} in its first step: {KEEP_THEIR_MEANING}"
        )
    values = {"noised": noised}
    for name, value in given.items():
        if value is not None and name != "noised":
            values[name] = per_position(where, name, value, values["noised"].shape)
    ids, probabilities = values.get("top_k_ids"), values.get("top_k_probabilities")
    if (ids is None) != (probabilities is None) or (
        ids is not None and probabilities is not None and ids.shape != probabilities.shape
    ):
        raise RecordingError(f"{where}: 'top_k_ids' and 'top_k_probabilities' belong together, in one shape")
    return values


def reduce_step(where: str, logits: Any, values: Mapping[str, Array], top_k: int) -> tuple[dict[str, Array], int]:
    """What the logits say of each position, and the size of their vocabulary."""
    logits = logits if is_torch(logits) else as_array(where, "logits", logits)
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


def check_like(where: str, step: OwnStep, before: Sequence[OwnStep]) -> None:
    """Refuse a step that has other arrays than those before, or that lacks a draft.

    A step that made no decision lacks what belongs to one, and may lack temperature and bound.
    """
    values = step.values
    if "draft" not in values:
        if "candidate" not in values:
            raise RecordingError(f"{where}: give 'logits', or 'draft' (the argmax token ids)")
        values["draft"] = values["candidate"]
    if not before:
        return
    first = next((one for one in before if one.decided), before[0])
    different = (first.values.keys() ^ values.keys()) - {*RULED_OUT}
    if not (step.decided and first.decided):
        different -= {*OF_A_DECISION, "temperature", "entropy_bound"}
    if different:
        name = min(different)
        which = "this step" if name in values else "the first step" if first is before[0] else "an earlier step"
        text = f"{where}: only {which} has '{name}': hand it over in every step, or in none"
        raise RecordingError(f"{text} (a step that made no decision: {_LEFT_OUT})" if name in OF_A_DECISION else text)
    if "top_k_ids" in values:
        here, there = (one.values["top_k_ids"].shape[-1] for one in (step, first))
        if here != there:
            raise RecordingError(f"{where}: there are {here} alternatives, but {there} in the first step")
