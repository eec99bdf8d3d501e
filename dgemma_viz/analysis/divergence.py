"""The first step at which two runs part, and what parted first in it.

A denoising step reads a noised canvas, computes a distribution, draws candidates and decides what to keep. The runs
part at the first step in which one of these differs, and the earliest in this order is the cause; all later differences
may follow from it. Runs that agree step by step can still stop at different steps, or emit something else than they
drafted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.comparison import Differences, TracePair, pair_of, prompts_differ
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]


class Cause(StrEnum):
    """What differed first."""

    READ = "what was read"
    DISTRIBUTION = "the distribution"
    CANDIDATE = "the candidates drawn"
    DECISION = "the decision what to keep"
    STOP = "when to stop"
    EMITTED = "what was emitted"


_WITHIN_A_STEP = {
    "noised": Cause.READ,
    "distribution": Cause.DISTRIBUTION,
    "candidate": Cause.CANDIDATE,
    "accepted": Cause.DECISION,
}


_KNOWN_BY = {"noised": "noised", "distribution": "entropy", "candidate": "candidate"}
"""Arrays without which it is not known whether these differ."""

_PREMISES = {
    "noised": "",
    "distribution": "the same tokens were read, but ",
    "candidate": "from the same distributions ",
    "accepted": "of the same candidates ",
}
"""What was the same before."""


@dataclass(frozen=True)
class Divergence:
    """The first difference of two runs.

    Attributes
    ----------
    sample, canvas, step
        Where it is; the step counts within the canvas.
    cause
        What differed first there.
    positions
        Positions at which it did; empty for :attr:`Cause.STOP`.
    what
        What happened, in a sentence, with the numbers that differ.
    """

    sample: int
    canvas: int
    step: int
    cause: Cause
    positions: tuple[int, ...]
    what: str


def divergence(a: Trace, b: Trace, sample: int = 0) -> Divergence | None:
    """The first difference of one sample in two traces, or None if all that can be compared is the same.

    Parameters
    ----------
    a, b
        Traces of one vocabulary; see :func:`~dgemma_viz.analysis.comparison.pair_of` for what is compared.
    sample
        Sample of the batch; None is returned for one that a trace does not have.

    Raises
    ------
    TraceError
        As :func:`~dgemma_viz.analysis.comparison.pair_of`.
    """
    return divergence_of(pair_of(a, b), sample)


def divergence_of(pair: TracePair, sample: int = 0) -> Divergence | None:
    """As :func:`divergence`, for traces that are aligned already."""
    output = pair.differing_output(sample)
    for canvas in range(pair.canvases):
        run_a, run_b = pair.runs(canvas, sample)
        if run_a is None or run_b is None:
            return None
        found = pair.differences(canvas, sample)
        parted = np.any([getattr(found, name) for name in _WITHIN_A_STEP], axis=(0, 2))
        if parted.any():
            return _within_a_step(pair, (run_a, run_b), found, int(np.argmax(parted)))
        if run_a.n_steps != run_b.n_steps:
            return Divergence(sample, canvas, max(0, found.common - 1), Cause.STOP, (), _stopped(run_a, run_b))
        if canvas < len(output) and output[canvas].any():
            positions = tuple(np.flatnonzero(output[canvas]).tolist())
            what = f"Every step was the same, but other tokens were emitted at {_places(positions)}."
            return Divergence(sample, canvas, max(0, found.common - 1), Cause.EMITTED, positions, what)
    return None


def _within_a_step(pair: TracePair, runs: tuple[CanvasRun, CanvasRun], found: Differences, step: int) -> Divergence:
    name = next(name for name in _WITHIN_A_STEP if getattr(found, name)[step].any())
    positions = tuple(np.flatnonzero(getattr(found, name)[step]).tolist())
    words = {"noised": _read, "distribution": _distribution, "candidate": _candidate, "accepted": _decision}[name]
    order = list(_WITHIN_A_STEP)
    unknown = [_WITHIN_A_STEP[before] for before in order[: order.index(name)] if not pair.recorded(_KNOWN_BY[before])]
    what = words(*runs, step, positions)
    if unknown:
        what = f"{what} Not recorded, and perhaps different before: {', '.join(unknown)}."
    else:
        what = _PREMISES[name] + what
    what = what[0].upper() + what[1:]
    return Divergence(runs[0].sample, runs[0].canvas, step, _WITHIN_A_STEP[name], positions, what)


def _read(a: CanvasRun, b: CanvasRun, step: int, positions: tuple[int, ...]) -> str:
    if step:
        return (
            f"the step before decided alike, but other tokens were read at {_places(positions)}: the re-noised "
            "positions got other random tokens."
        )
    masks = [run.trace.facts.mask_token_id is not None for run in (a, b)]
    if masks[0] != masks[1]:
        kinds = ["mask tokens" if masked else "random tokens" for masked in masks]
        return f"the runs began from other noise: the first from {kinds[0]}, the second from {kinds[1]}."
    seeds = a.trace.facts.seed, b.trace.facts.seed
    why = f"their seeds are {_number(seeds[0])} and {_number(seeds[1])}"
    if seeds[0] == seeds[1]:
        why = "their seed is the same, but the random numbers were not: more were drawn before one of the runs"
    return f"the runs began from other random tokens, at {_places(positions)}: {why}."


def _distribution(a: CanvasRun, b: CanvasRun, step: int, positions: tuple[int, ...]) -> str:
    at = list(positions)
    gaps = np.abs(a.array("entropy")[step, at].astype(float) - b.array("entropy")[step, at])
    largest = ""
    if np.isfinite(gaps).any():
        place = int(np.argmax(np.where(np.isfinite(gaps), gaps, -1)))
        largest = f", by up to {gaps[place]:.3g} nats of entropy (position {positions[place]})"
    return f"the distribution differs at {_places(positions)}{largest}: {_why(a, b, step)}."


def _why(a: CanvasRun, b: CanvasRun, step: int) -> str:
    """What is known to change a distribution and differs; of what is not recorded, what it may be."""
    temperature_a, temperature_b = (float(run.array("temperature")[step]) for run in (a, b))
    known = bool(np.isfinite([temperature_a, temperature_b]).all())
    if known and not np.isclose(temperature_a, temperature_b, rtol=1e-6):
        return f"its temperature is {temperature_a:.4g} in A and {temperature_b:.4g} in B"
    if prompts_differ(a.trace, b.trace, a.sample):
        return "the prompts differ"
    for name, words in (("model_id", "models"), ("dtype", "precisions"), ("device", "devices")):
        if getattr(a.trace.facts, name) != getattr(b.trace.facts, name):
            return f"the {words} differ"
    same = "the temperature is the same" if known else "the temperatures are not both known"
    return f"{same}; weights, precision, cache or self-conditioning may differ"


def _candidate(_a: CanvasRun, _b: CanvasRun, _step: int, positions: tuple[int, ...]) -> str:
    return f"other candidates were drawn at {_places(positions)}: other random numbers."


def _decision(a: CanvasRun, b: CanvasRun, step: int, positions: tuple[int, ...]) -> str:
    kept = [int(run.array("accepted")[step].sum()) for run in (a, b)]
    bound_a, bound_b = (float(run.array("entropy_bound")[step]) for run in (a, b))
    why = f"entropy bound {bound_a:.4g} nats in A, {bound_b:.4g} in B"
    if not np.isfinite([bound_a, bound_b]).all():
        why = "their entropy bounds are not both known"
    elif np.isclose(bound_a, bound_b, rtol=1e-6):
        why = "with the same entropy bound"
    return f"A kept {kept[0]} and B {kept[1]}; they differ at {_places(positions)}: {why}."


def _stopped(a: CanvasRun, b: CanvasRun) -> str:
    first, other = ("A", "B") if a.n_steps < b.n_steps else ("B", "A")
    short = a if first == "A" else b
    if not short.n_steps:
        return f"{first} ran no step on canvas {short.canvas}; {other} did."
    how = "stopped" if short.emitted is not None else f"was cut off ({short.trace.facts.status})"
    return (
        f"{'The only step' if short.n_steps == 1 else f'All {short.n_steps} steps'} of {first} "
        f"{'is' if short.n_steps == 1 else 'are'} the same in {other}; then {first} {how}, and {other} went on."
    )


def _places(positions: tuple[int, ...]) -> str:
    return f"position {positions[0]}" if len(positions) == 1 else f"{len(positions)} positions"


def _number(seed: int | None) -> str:
    return "unknown" if seed is None else str(seed)
