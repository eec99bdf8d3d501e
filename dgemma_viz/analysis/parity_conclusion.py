"""Whether the difference between two models explains that a run came out otherwise.

Until the first decision that differs, both models read the same canvases. So where B's own passes (with its own
self-conditioning) make every decision as A's did, B's run from the same noise *is* A's run, and a changed answer has
another cause: the sampler, other random numbers, another prompt. Where B's own run was recorded as well, the step at
which the two runs part is known, and B's pass of that step either decides as B's run did, or does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.parity_tables import Decisions
from dgemma_viz.analysis.parity_verdict import (
    Conclusion,
    Evidence,
    Verdict,
    differing,
    first_difference,
    place_in,
    where_in,
)
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]

_ASK_AGAIN = "ask again with self_conditioning='own'"


def conclude(evidence: Evidence, other: Trace | None) -> Conclusion:
    """The verdict; ``other`` is B's own run from the same start, or None."""
    if evidence.unfaithful:
        return Conclusion(Verdict.UNKNOWN, f"Too little to go on: {evidence.unfaithful}")
    if other is not None:
        return _with_run(evidence, other)
    found = first_difference(evidence.trace, evidence.a, evidence.b, evidence.compared, evidence.last)
    return _all_alike(evidence) if found is None else _otherwise(evidence, *found)


def _otherwise(evidence: Evidence, place: tuple[int, int, int], where: str, what: str) -> Conclusion:
    """B's passes decide otherwise, and no run of its own is given."""
    if not evidence.own and place[1]:  # told otherwise, B might decide as A did
        words = f"B decides otherwise in {where} ({what}), but with A's self-conditioning; {_ASK_AGAIN}."
        return Conclusion(Verdict.UNKNOWN, f"Too little to go on: {words}", place)
    return Conclusion(
        Verdict.ENOUGH,
        f"On the same canvases B decides otherwise in {where}: {what}. From there "
        "its run is another, so the model alone is enough to change the answer; whether it did, B's own run would "
        "show (trace_b=).",
        place,
    )


def _all_alike(evidence: Evidence) -> Conclusion:
    """B's passes decide as was recorded, and no run of its own is given."""
    steps, status = counted(evidence.trace.n_steps, "step"), evidence.trace.facts.status
    words = ""
    if not evidence.own:
        words = f"B decides alike, but with A's self-conditioning; {_ASK_AGAIN}."
    elif evidence.noise:
        words = (
            "B has the same drafts, accepted sets and stops, but what it would have drawn is not known: "
            f"{evidence.noise}."
        )
    elif status != "complete":
        words = (
            f"B makes every decision of the {steps} as A did, but the recorded run ended before its answer ({status})."
        )
    if words:
        return Conclusion(Verdict.UNKNOWN, f"Too little to go on: {words}")
    return Conclusion(
        Verdict.DOES_NOT,
        f"B makes every decision of the {steps} as A did: from the same noise its "
        "run is this one. If its answer came out otherwise, the model is not the cause: check its sampler with "
        "dv.check_conformance, its prompt and its random numbers.",
    )


def _with_run(evidence: Evidence, other: Trace) -> Conclusion:
    """B's own run beside B's passes over A's canvases, up to where the two runs part."""
    found = [one for sample in range(evidence.trace.n_samples) if (one := _parting(evidence, other, sample))]
    samples = range(evidence.trace.n_samples)
    same = all(np.array_equal(evidence.trace.output_ids(sample), other.output_ids(sample)) for sample in samples)
    if not found:
        return _alike(evidence.trace, other, same=same)
    earliest = min(found, key=lambda one: one.place or (0, 0, 0))
    answers = "The answers are the same nevertheless." if same else "The answers differ."
    return replace(earliest, words=f"{earliest.words} {answers}")


def _alike(trace: Trace, other: Trace, *, same: bool) -> Conclusion:
    """Every recorded step was decided alike; whether the runs are the same depends on what else they hold."""
    if same and (other.active.sum(axis=0) <= trace.active.sum(axis=0)).all():
        words = "B's own run made every decision of this one, up to its end"
        return Conclusion(Verdict.NOTHING, f"There is nothing to explain: {words}.")
    if {trace.facts.status, other.facts.status} == {"complete"} and other.n_steps == trace.n_steps:
        return Conclusion(
            Verdict.DOES_NOT,
            "B's own run made every decision of this one, and its answer differs: what is emitted is the sampler's "
            "work, or that of other settings, such as end tokens. See dv.check_conformance.",
        )
    words = (
        "B's own run made every decision of this one, but one of the two went on, or emitted its canvas, where the "
        "other had ended, by other settings or an interrupt"
    )
    return Conclusion(Verdict.UNKNOWN, f"Too little to go on: {words}.")


def _parting(evidence: Evidence, other: Trace, sample: int) -> Conclusion | None:
    """Where one sample's runs part, and whether B's passes say so, too."""
    trace = evidence.trace
    where_b = {(int(c), int(s)): n for n, (c, s) in enumerate(zip(other.canvas, other.step_in_canvas, strict=True))}
    recorded_a, recorded_b = _recorded(trace), _recorded(other)
    aligned = _aligned(recorded_b, evidence.b, where_b, trace)
    before = False
    for step in np.flatnonzero(evidence.compared[:, sample].any(axis=-1)):
        at, here = (int(step), sample), evidence.compared[step, sample]
        last, place = bool(evidence.last[at]), place_in(trace, int(step), sample)
        there = where_b.get((place[0], place[1]))
        if there is None or not other.active[there, sample]:
            return _cut_short(trace, at)
        if (other.noised[there, sample] != trace.noised[at])[here].any():
            return _other_tokens(trace, at, before=before)
        seen = differing(recorded_a, aligned, at, here, last=last)
        unlike = differing(evidence.b, aligned, at, here, last=last)
        if seen or unlike:
            judged = _judged(evidence, at, here, (seen, unlike), last=last)
            if judged.verdict is Verdict.EXPLAINS:
                return judged
            return replace(judged, words=judged.words + _other_settings(trace, other, (int(step), there)))
        before = True
    return None


def _other_settings(trace: Trace, other: Trace, steps: tuple[int, int]) -> str:
    """A sentence on what the sampler was told otherwise in a step of both runs, with a space before it; or nothing."""
    told = []
    for what, of_a, of_b in (
        ("temperature", trace.temperature, other.temperature),
        ("entropy bound", trace.entropy_bound, other.entropy_bound),
    ):
        one, two = float(of_a[steps[0]]), float(of_b[steps[1]])
        if np.isfinite([one, two]).all() and not np.isclose(one, two, rtol=1e-5):
            told.append(f"{what} {one:.4g} in this run and {two:.4g} in B's")
    return f" Their samplers had other settings there: {', '.join(told)}." if told else ""


def _judged(evidence: Evidence, at: tuple[int, int], here: Array, what: tuple[str, str], *, last: bool) -> Conclusion:
    seen, unlike = what
    where, place = where_in(evidence.trace, *at), place_in(evidence.trace, *at)
    flips = differing(evidence.a, evidence.b, at, here, last=last)
    if seen and not unlike:
        words = f"The runs part in {where}: {seen}. On the same canvas B's pass decides just so."
        if not flips:  # what differs is what is not known of the passes
            return Conclusion(
                Verdict.UNKNOWN,
                f"The runs part in {where}: {seen}. B's pass gives the same accepted set and drafts as A's; what it "
                f"would have drawn is not known: {evidence.noise}.",
                place,
            )
        return Conclusion(Verdict.EXPLAINS, words, place)
    if seen and not flips:
        if not evidence.own:
            words = f"B's pass decides as A's, but with A's self-conditioning; {_ASK_AGAIN}."
            return Conclusion(Verdict.UNKNOWN, f"The runs part in {where}: {seen}. {words}", place)
        return Conclusion(
            Verdict.DOES_NOT,
            f"The runs part in {where}: {seen}. On the same canvas B's pass decides as A's did, so its run was not "
            "decided by its logits: check its sampler with dv.check_conformance.",
            place,
        )
    words = f"In {where} B's pass and B's own run differ ({unlike}), and not as A and B do"
    return Conclusion(
        Verdict.UNKNOWN, f"Too little to go on: {words}. Is model_b, as it was given, what made that run?", place
    )


def _other_tokens(trace: Trace, at: tuple[int, int], *, before: bool) -> Conclusion:
    where, place = where_in(trace, *at), place_in(trace, *at)
    if not before:
        words = "Too little to go on: the runs began from other random tokens, so they differ whatever the models do."
        return Conclusion(Verdict.UNKNOWN, f"{words} Run both from one seed.", place)
    return Conclusion(
        Verdict.DOES_NOT,
        f"The runs part in {where}: other tokens were read, although every decision before was the same, in both runs "
        "and in B's passes. What a step leaves for the next is the sampler's work, or that of its random numbers: see "
        "dv.check_conformance.",
        place,
    )


def _cut_short(trace: Trace, at: tuple[int, int]) -> Conclusion:
    words = "without a decision that differs B's own run ended before that step, by other settings or an interrupt"
    return Conclusion(Verdict.UNKNOWN, f"Too little to go on in {where_in(trace, *at)}: {words}.", place_in(trace, *at))


def _recorded(trace: Trace) -> Decisions:
    absent = trace.facts.absent
    return Decisions(
        draft=trace.draft,
        entropy=trace.entropy,
        accepted=trace.accepted,
        candidate=None if "candidate" in absent else trace.candidate,
        finished=None if "finished" in absent else trace.finished,
    )


def _aligned(recorded: Decisions, like: Decisions, places: dict[tuple[int, int], int], trace: Trace) -> Decisions:
    """What B's run recorded, on the steps of A's trace; where it ran none, the passes' own values, never looked at."""
    steps = [places.get((int(c), int(s)), -1) for c, s in zip(trace.canvas, trace.step_in_canvas, strict=True)]
    chosen = np.array(steps)
    missing = chosen < 0

    def put(name: str) -> Array | None:
        values = getattr(recorded, name)
        if values is None:
            return None
        taken = values[chosen].copy()
        if getattr(like, name) is not None:
            taken[missing] = getattr(like, name)[missing]
        return np.asarray(taken)

    fields = {name: put(name) for name in ("draft", "entropy", "accepted", "candidate", "finished")}
    return Decisions(**fields)  # type: ignore[arg-type]  # the first three are always there
