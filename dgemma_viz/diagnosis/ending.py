"""Rules about the end of the answer: too early, missing, with text behind it, with padding or nothing before it."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.diagnosis.case import SampleCase, per_sample
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, quote
from dgemma_viz.rules.rule import Rule

MORE_LIKELY_RIGHT = 0.5
"""Confidence from which a text draft counts as meant: by the model's own account more likely right than wrong."""
NOTICEABLE, MANY = 2, 8
"""Positions of meant text that gave way to the end of the answer: one may be the end token finding its place."""


def _empty(case: SampleCase) -> Finding | None:
    ids = case.answer[~case.is_filler(case.answer)]
    if not len(case.emitted) or "".join(case.trace.token_text(token) for token in ids).strip():
        return None
    if case.judgement is not None and case.judgement.answer_right:
        return None
    if not len(case.answer):
        what = "The answer is empty: the first emitted token is the end-of-sequence token."
    else:
        what = f"Of {counted(len(case.answer), 'emitted token')} none is text: there is white space or padding only."
    canvas, position = case.place(0)
    return Finding(
        Severity.ERROR,
        what,
        canvas=canvas,
        step=case.settled_at(canvas, position),
        positions=(position,),
        evidence={"tokens": len(case.answer)},
    )


def _premature(case: SampleCase) -> Finding | None:
    if case.end is None:
        return None
    canvas, position = case.place(case.end)
    judgement = case.judgement
    if judgement is not None and judgement.judged[canvas, position] and not judgement.wrong[canvas, position]:
        return None
    if judgement is not None and judgement.wrong[canvas, position]:
        missing = judgement.expected[canvas, position]
        return Finding(
            Severity.ERROR,
            f"The answer ends after {counted(case.end, 'token')}; {quote([missing])} should have followed.",
            canvas=canvas,
            step=case.settled_at(canvas, position),
            positions=(position,),
            evidence={"tokens": case.end},
        )
    run = case.canvas(canvas)
    if run is None:
        return None
    meant = ~case.is_filler(run.draft) & (run.confidence >= MORE_LIKELY_RIGHT) & run.open & ~run.clamped
    meant[:, :position] = False
    meant[:, run.is_text] = False
    positions = np.flatnonzero(meant.any(axis=0))
    if len(positions) < NOTICEABLE:
        return None
    step = int(np.flatnonzero(meant.any(axis=1))[-1])
    texts = run.texts(run.draft[step, meant[step]])
    return Finding(
        Severity.WARNING if len(positions) >= MANY else Severity.NOTE,
        f"The answer ends after {counted(case.end, 'token')}, but {counted(len(positions), 'position')} from "
        f"there on had held text with a confidence of {MORE_LIKELY_RIGHT} or more, such as "
        f"{quote(texts)} in step {step}.",
        canvas=canvas,
        step=min(step + 1, run.last_step),
        positions=tuple(positions.tolist()),
        evidence={"tokens": case.end, "positions": len(positions)},
    )


def _text_after(case: SampleCase) -> Finding | None:
    if case.end is None:
        return None
    canvas, position = case.place(case.end)
    run = case.canvas(canvas)
    if run is None:
        return None
    behind = np.arange(run.run.canvas_length) > position
    rest = case.emitted[case.end + 1 :]
    emitted = int((~case.is_filler(rest)).sum())
    positions = np.flatnonzero(behind & run.is_text)
    if not len(positions) and not emitted:
        return None
    raw = bool((run.draft[-1] == run.run.emitted)[behind].all())
    where = (
        f"{emitted} of it left in the raw canvas that the runtime keeps"
        if emitted and raw
        else f"{emitted} of it emitted"
        if emitted
        else "which was then replaced by padding"
    )
    texts = run.texts(run.draft[-1, positions]) if len(positions) else run.texts(rest[~case.is_filler(rest)])
    return Finding(
        Severity.ERROR if emitted and not raw and case.trace.facts.pad_token_id is not None else Severity.WARNING,
        f"The answer ends after {counted(case.end, 'token')}, yet text goes on behind its end, {where}: "
        f"{quote(texts)}.",
        canvas=canvas,
        step=run.last_step,
        positions=tuple(positions.tolist()),
        evidence={"drafted": len(positions), "emitted": emitted},
    )


def _unclosed(case: SampleCase) -> Finding | None:
    if case.end is not None or case.trace.past_end[:, case.sample].any():
        return None
    canvas = len(case.trace.emitted) - 1
    last = case.canvas(canvas)
    if last is not None and last.given[last.run.in_output][-1:].any():
        return None  # infilling: the text ends with tokens that were given
    return Finding(
        Severity.WARNING,
        f"Of {counted(len(case.emitted), 'emitted token')} none ends the answer: it was cut at the limit "
        "of new tokens.",
        canvas=canvas,
        step=case.canvases[-1].last_step if case.canvases else None,
        positions=(int(case.trace.canvas_lengths[canvas]) - 1,),
        evidence={"tokens": len(case.emitted)},
    )


def _padding_inside(case: SampleCase) -> Finding | None:
    facts = case.trace.facts
    if facts.pad_token_id in facts.eos_token_ids:
        return None
    padding = np.flatnonzero(case.answer == facts.pad_token_id)
    if not len(padding):
        return None
    places = [case.place(index) for index in padding.tolist()]
    canvas, position = places[0]
    return Finding(
        Severity.ERROR,
        f"{counted(len(padding), 'padding token')} in the answer, before any end-of-sequence token.",
        canvas=canvas,
        step=case.settled_at(canvas, position),
        positions=tuple(here for there, here in places if there == canvas),
        evidence={"tokens": len(padding)},
    )


RULES = (
    Rule(
        name="empty-answer",
        title="Empty answer",
        says="The model ended its turn without saying anything.",
        remedy="Ask for more than one word: 'reply with only X' invites an empty canvas. Look at the second-best "
        "alternatives at position 0.",
        source="Deveraux-Parker/diffusiongemma-fieldguide: 7 of 8 'reply with ONLY the number' empty, with an INT4 "
        "quantisation on vLLM",
        needs=(need.EMITTED, need.COMPLETE),
        check=per_sample(_empty),
    ),
    Rule(
        name="premature-end",
        title="Premature end",
        says="An end-of-sequence token took the place of text that the answer needed, or that the model had drafted.",
        remedy="Look at the step at which the end token took over. A lower temperature, more steps, or a penalty on "
        "the end token in the first steps may keep the text.",
        source="arXiv 2605.28181 (overconfidence in the end token)",
        needs=(need.EMITTED, need.END_TOKENS),
        check=per_sample(_premature),
    ),
    Rule(
        name="text-after-end",
        title="Text after the end",
        says="Behind the first end-of-sequence token the draft goes on with text: the end token is probably a "
        "mistake, or the runtime does not pad finished sequences.",
        remedy="Read the text behind the end in the last step's draft. If it was emitted, let the runtime replace what "
        "follows an end token by padding (_finalize_canvas).",
        source="transformers 5.23 _finalize_canvas; arXiv 2605.28181",
        needs=(need.EMITTED, need.END_TOKENS),
        check=per_sample(_text_after),
    ),
    Rule(
        name="unclosed-turn",
        title="Unclosed turn",
        says="The output was cut at the limit of new tokens; the model had not ended its answer.",
        remedy="Raise max_new_tokens (it is rounded up to whole canvases). If the tail never settles, check that "
        "fine-tuning data fill the last canvas with end tokens.",
        source="transformers 5.23 generate(), EosTokenCriteria and MaxLengthCriteria",
        needs=(need.EMITTED, need.COMPLETE, need.END_TOKENS),
        check=per_sample(_unclosed),
    ),
    Rule(
        name="padding-in-answer",
        title="Padding in the answer",
        says="Padding was emitted where text belongs: the logits were probably broken.",
        remedy="Look for NaN or infinite logits, and check the attention mask and the cache of this canvas.",
        source="vllm#47424 (NaN hidden state, canvas of pads)",
        needs=(need.EMITTED, need.END_TOKENS, need.PADDING),
        check=per_sample(_padding_inside),
    ),
)
