"""The trace of a run that was put together from its passes, and what must be said of it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.any_loop_decisions import Inferred, inferred, last_read
from dgemma_viz.recorders.any_loop_doubts import HAND_OVER, doubts
from dgemma_viz.recorders.any_loop_noise import inferred_noise
from dgemma_viz.recorders.any_loop_result import Final, laid_over, rows_of
from dgemma_viz.recorders.any_loop_runs import Guidance, WatchedRun
from dgemma_viz.recorders.own_loop_step import Array, OwnStep
from dgemma_viz.recorders.own_loop_trace import trace_of_steps
from dgemma_viz.trace.model import UNKNOWN_TOKEN, RunFacts, Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.tokenizer import TokenTexts


@dataclass(frozen=True)
class PutTogether:
    """A run's steps, what stands at its end, and what is wrong with the result, if anything is."""

    steps: Inferred
    final: Final
    misfit: str


def put_together(run: WatchedRun) -> PutTogether | None:
    """What the passes of a run come to; None if none of them denoised."""
    if not run.passes:
        return None
    run.copies.wait()
    if run.finds_mask and len(run.passes) > 1:
        run.find_mask()
    final, misfit = Final.unknown(run), ""
    if run.result is not None:
        try:
            final = laid_over(run, last_read(run.passes, final.ids))
        except RecordingError as error:
            if not run.returned:
                raise
            misfit = str(error)
    after = final.ids
    if run.mask is None:
        steps = inferred_noise(run.passes, after)
    else:
        steps = inferred(run.passes, np.where(final.thrown_away, run.mask, after), run.mask)
    return PutTogether(steps, final, misfit) if steps else None


def give_returned(runs: Sequence[WatchedRun], result: Any) -> None:
    """Give what a call returned to the run that it is of, if it is of one."""
    try:
        rows_of(result)
    except RecordingError:
        return
    for run in runs:
        run.result, run.returned = result, True
        told = put_together(run)
        if told is None or (told.misfit and len(runs) > 1):
            run.result = None


def trace_of(run: WatchedRun, told: PutTogether, texts: TokenTexts, top_k: int) -> Trace:
    """The trace."""
    steps, mask = told.steps, run.mask
    size = max(one.vocabulary for one in run.passes)
    size = max(size, int(run.state.max()) + 1, int(told.final.ids.max()) + 1, 0 if mask is None else mask + 1)
    facts = replace(
        run.facts,
        vocab_size=size,
        mask_token_id=mask,
        sampler=run.passes[-1].reading.caller,
        sampler_kind="other" if mask is None else "mask-token",
        notices=(*run.facts.notices, *_notices(run, told)),
        settings={**run.facts.settings, "watched": _watched(run, told)},
    )
    own = [
        OwnStep(canvas, sum(home == canvas for home, _ in steps.steps[:number]), _kept(values, top_k))
        for number, (canvas, values) in enumerate(steps.steps)
    ]
    emitted = [
        _padded(ids, told.final.thrown_away[:, slice(*span)], facts)
        for ids, span in zip(steps.emitted, steps.spans[: len(steps.emitted)], strict=True)
    ]
    some = steps.undecided < len(own)
    given = facts if some else replace(facts, mask_token_id=None)  # nothing may be made of what is not known
    if len(emitted) < len(steps.spans) and facts.status == "complete":
        given = replace(given, status="interrupted")
    trace = trace_of_steps(given, own, emitted, _prompts(run, steps.spans[0][0]), texts)
    return trace if some else replace(trace, facts=replace(trace.facts, mask_token_id=mask))


def _kept(values: dict[str, Array], top_k: int) -> dict[str, Array]:
    return values | {name: values[name][..., :top_k] for name in ("top_k_ids", "top_k_probabilities")}


def _padded(ids: Array, thrown_away: Array, facts: RunFacts) -> Array:
    """An emitted canvas, with padding where the loop threw tokens away."""
    filler = facts.filling_ids[-1] if facts.filling_ids else 0
    return np.where(thrown_away, filler, ids).astype(np.int32)


def _prompts(run: WatchedRun, end: int) -> list[list[int]]:
    """What stands before the answer, without padding and without what was never read."""
    ids = last_read(run.passes, np.full(run.state.shape, UNKNOWN_TOKEN, np.int32))[:, :end]
    real = ids != UNKNOWN_TOKEN
    told = [one.reading for one in run.passes if one.reading.real is not None and not one.reading.begin]
    if told and told[0].real is not None:
        width = min(end, told[0].real.shape[1])
        real[:, :width] &= told[0].real[:, :width]
    elif run.facts.pad_token_id is not None:
        real &= np.cumsum(ids != run.facts.pad_token_id, axis=1) > 0
    prompts = [row[kept].tolist() for row, kept in zip(ids, real, strict=True)]
    return prompts if any(prompts) else []


# -- in words ----------------------------------------------------------------------------------------------------


def _watched(run: WatchedRun, told: PutTogether) -> dict[str, object]:
    """How the run was put together, for programs."""
    alignment = told.steps.alignment
    return {
        "passes": len(run.passes),
        "denoising_passes": len(told.steps.steps),
        "logits_shifted_by": alignment.shift,
        "shift_is": "inferred" if alignment.inferred else "assumed",
        "guidance": run.guidance.value,
        "end_known_from": "" if told.steps.undecided else _end_known_from(run),
    }


def _end_known_from(run: WatchedRun) -> str:
    if run.result is not None:
        return "the call's result" if run.returned else "the result handed over"
    return "the tensor that the last pass read" if run.left is not None else "a later pass"


def _notices(run: WatchedRun, told: PutTogether) -> Iterator[Notice]:
    steps = told.steps
    how = "is judged by the logits (accepted where a token had more than one token's share of probability)"
    text = (
        "Seen were the forward passes, not the loop. Measured: what each pass read, and what the model's own logits "
        "say, before the loop's temperature, filters or noise. Inferred: what was decided, from what the next pass read"
        + (f"; it {how}" if run.mask is None else "")
        + ". Where nothing was put into the canvas, the draft stands in for the candidate. "
        + steps.alignment.in_words
    )
    yield Notice(NoticeCode.DECISIONS_INFERRED, f"{text}. {run.mask_found}" if run.mask_found else text)
    if run.guidance is not Guidance.NONE:
        text = (
            f"The loop guides: {run.guidance.value} reads the canvas without its prompt. Numbers are those of the pass "
            "with the prompt; the mixture that the loop sampled from was not seen"
        )
        yield Notice(NoticeCode.GUIDANCE_NOT_SEEN, text)
    if told.misfit:
        yield Notice(NoticeCode.END_UNKNOWN, f"The call's result was left out: {told.misfit}")
    if steps.undecided:
        text = (
            f"What {counted(steps.undecided, 'pass')} decided is not known, since nothing was seen to read "
            f"it: {HAND_OVER}"
        )
        yield Notice(NoticeCode.END_UNKNOWN, text)
    elif not steps.changed:
        text = f"No position changed in {counted(len(steps.steps), 'pass')}: this may be no loop that denoises"
        yield Notice(NoticeCode.END_UNKNOWN, text)
    yield from (Notice(NoticeCode.MAY_NOT_DENOISE, text) for text in doubts(run, steps))
    if not steps.alignment.is_explained:
        text = (
            f"Of {steps.alignment.revealed} tokens that took the place of a mask, only {steps.alignment.explained} had "
            "more than one token's share of probability: the passes may be no denoising steps (scoring, for instance), "
            "or the loop samples from something else than these logits"
        )
        yield Notice(NoticeCode.DECISIONS_UNEXPLAINED, text)
