"""One step of an own loop: judged and copied into plain arrays as it is handed over, so that nothing wrong gets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.host_arrays import host_array, is_torch
from dgemma_viz.recorders.own_loop_reduce import reduce_any
from dgemma_viz.trace.decision import Decision, Phase, is_accepted, masked_outcome
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING
from dgemma_viz.trace.schema import ARRAYS, OF_A_DECISION, RULED_OUT, TOKEN_ARRAYS

Array = npt.NDArray[Any]

_AXES = {2: "(B, C)", 3: "(B, C, K)"}
_ROUNDING = 1e-3
_SPECS = ARRAYS | RULED_OUT
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
            f"{where}: 'noised' is for {counted(samples, 'sample')} of {counted(length, 'position')}, but the "
            f"first step had {first.shape[0]}: hand over all of them in every step"
        )
    if begun is not None and length != begun.shape[1]:
        raise RecordingError(
            f"{where}: the canvas has {counted(length, 'position')}, but {begun.shape[1]} in its first step: "
            f"{KEEP_THEIR_MEANING}"
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
            f"{where}: 'logits' have shape {tuple(logits.shape)}, but 'noised' is for {counted(shape[0], 'sample')} of "
            f"{counted(shape[1], 'position')}: hand over the logits of these positions, ({shape[0]}, "
            f"{shape[1]}, vocabulary)"
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


# -- arrays ----------------------------------------------------------------------------------------------------


def as_array(where: str, name: str, value: Any) -> Array:
    """A copy on the host; bfloat16 and the like become float32."""
    try:
        return np.array(host_array(value))
    except TypeError as error:
        raise RecordingError(f"{where}: '{name}' {error}") from error


def per_position(where: str, name: str, value: Any, shape: tuple[int, ...] | None) -> Array:
    """Array of a step with its sample axis, ``(B, C)`` or ``(B, C, K)``, in the dtype of the schema.

    Parameters
    ----------
    where
        Step, for messages.
    name
        Name in :data:`dgemma_viz.trace.schema.ARRAYS`.
    value
        Torch tensor, array or list; a single sample may lack its axis.
    shape
        ``(B, C)`` of the canvas; None takes that of ``value``.

    Raises
    ------
    RecordingError
        Says what is wrong with it.
    """
    array = as_array(where, name, value)
    given = array.shape
    axes = 3 if _SPECS[name].axes.endswith("K") else 2
    if array.ndim == axes - 1:
        array = array[None]
    if array.ndim != axes or array.size == 0:
        raise RecordingError(
            f"{where}: '{name}' has shape {given}; give {_AXES[axes]}, or {_AXES[axes].replace('B, ', '')} "
            "for one sample"
        )
    if shape is not None and array.shape[:2] != shape:
        raise RecordingError(
            f"{where}: '{name}' is for {counted(array.shape[0], 'sample')} of "
            f"{counted(array.shape[1], 'position')}, but the canvas has "
            f"{shape[0]} of {shape[1]}: hand over the same positions of every array"
        )
    return _typed(where, name, array)


def per_sample(where: str, name: str, value: Any, samples: int) -> Array:
    """Bool ``(B,)``; one value stands for all samples."""
    array = as_array(where, name, value)
    if array.ndim == 0:
        array = np.repeat(array, samples)
    if array.shape != (samples,):
        raise RecordingError(f"{where}: '{name}' has shape {array.shape}; give one value, or one for each sample")
    return _typed(where, name, array)


def _typed(where: str, name: str, array: Array) -> Array:
    wanted = np.dtype(_SPECS[name].dtype)
    if wanted.kind == "b" and not np.isin(array, (0, 1)).all():
        raise RecordingError(f"{where}: '{name}' must be true or false (or 1 and 0) everywhere")
    if name in TOKEN_ARRAYS and (array.dtype.kind not in "iu" or array.min() < 0):
        raise RecordingError(f"{where}: '{name}' must hold token ids, whole numbers from 0")
    if name == "decision" and not np.isin(array, list(Decision)).all():
        raise RecordingError(f"{where}: '{name}' must hold codes of dgemma_viz.trace.Decision, 0 to {max(Decision)}")
    if name.endswith(("probability", "probabilities", "confidence")):
        finite = array[np.isfinite(array)]
        if finite.size and not (finite.min() >= 0 and finite.max() <= 1 + _ROUNDING):
            raise RecordingError(f"{where}: '{name}' must be probabilities, from 0 to 1")
    return array.astype(wanted)


def in_vocabulary(where: str, arrays: Mapping[str, Array], size: int) -> None:
    """Refuse token ids that the vocabulary does not have; a size of 0 is unknown."""
    for name in TOKEN_ARRAYS:
        if size and name in arrays and arrays[name].max() >= size:
            raise RecordingError(
                f"{where}: '{name}' holds token id {arrays[name].max()}, outside the vocabulary of {size:,}"
            )


def prompts(value: Any) -> list[list[int]]:
    """Token ids of each sample's prompt, from ``(P,)``, ``(B, P)`` or lists of different lengths."""
    if value is None:
        return []
    ragged = isinstance(value, list | tuple) and any(np.ndim(row) for row in value)
    rows = [as_array("prompt", "prompt", row) for row in (value if ragged else [value])]
    if not ragged and rows[0].ndim == 2:  # noqa: PLR2004
        rows = list(rows[0])
    for row in rows:
        if row.ndim != 1 or (row.size and (row.dtype.kind not in "iu" or row.min() < 0)):
            raise RecordingError("'prompt' must be token ids: (P,), (B, P), or a list of them for each sample")
    return [[int(token) for token in row] for row in rows]


def lost(accepted: Array, candidate: Array | None, after: Array, mask: int) -> int:
    """Positions that a step is said to have accepted, but that hold the mask in the next; unless it drew the mask."""
    drawn = False if candidate is None else candidate == mask
    return int((accepted & (after == mask) & ~np.asarray(drawn)).sum())
