"""What goes into the output: the last draft up to the end of the sequence, padding after it."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance.evidence import Array, Evidence, committed_before, each, first_wrong, steps_of
from dgemma_viz.rules import need
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Decision, is_accepted
from dgemma_viz.trace.model import CanvasRun


def _last_draft(evidence: Evidence, run: CanvasRun) -> Checked:
    facts = evidence.trace.facts
    if run.emitted is None or not run.n_steps or run.past_end or evidence.ended_before(run):
        return Checked(0)
    draft = run.array("draft")[-1]
    judged = ~evidence.padded(run)
    ends = np.flatnonzero(np.isin(draft, facts.eos_token_ids))
    if len(ends) and facts.pad_token_id is not None:
        judged &= np.arange(len(draft)) <= ends[0]
    return _emitted_is(draft, run, judged, "but the draft of step {step}, the sample's last, is")


def _last_canvas(evidence: Evidence, run: CanvasRun) -> Checked:
    if run.emitted is None or not run.n_steps:
        return Checked(0)
    if run.array("finished")[-1] and evidence.kind is not SamplerKind.MASKED:
        left, judged = run.array("draft")[-1], np.ones(run.canvas_length, dtype=bool)
    else:
        decision = run.array("decision")[-1]
        left = np.where(decision == Decision.KEPT, run.array("noised")[-1], run.array("candidate")[-1])
        judged = is_accepted(decision) & ~committed_before(evidence, run)[-1]
    judged &= run.in_output & ~evidence.padded(run)
    return _emitted_is(left, run, judged, "but step {step}, the sample's last, left")


def _emitted_is(wanted: Array, run: CanvasRun, judged: Array, but: str) -> Checked:
    emitted, last = np.asarray(run.emitted), int(steps_of(run)[-1])

    def tell(position: int) -> tuple[str, str, str]:
        found, expected = f"token {emitted[position]}", f"token {wanted[position]}"
        return found, expected, f"{found.capitalize()} was emitted, {but.format(step=last)} {expected}."

    return first_wrong(judged, judged & (wanted != emitted), None, tell)


def _padded(evidence: Evidence, run: CanvasRun) -> Checked:
    emitted = run.emitted
    if emitted is None:
        return Checked(0)
    ended = evidence.ended_before(run) or run.past_end
    ends = np.flatnonzero(np.isin(emitted, evidence.trace.facts.eos_token_ids))
    start = 0 if ended else int(ends[0]) + 1 if len(ends) else run.canvas_length
    judged = np.arange(run.canvas_length) >= start
    unpadded = judged & ~evidence.padded(run)
    raw = judged & (run.array("draft")[-1] == emitted) if run.n_steps else np.zeros_like(judged)
    if (raw == judged).all():
        return Checked(int(judged.sum()))
    # Where each is padding or the draft, but not all are either, the runtime neither keeps its canvas nor pads it.
    wrong = unpadded & ~raw if (unpadded & ~raw).any() else unpadded
    where = "in an earlier canvas" if ended else f"at position {start - 1}"

    def tell(position: int) -> tuple[str, str, str]:
        found = f"token {emitted[position]}"
        what = f"The sequence ended {where}, but {found} was emitted after it."
        return found, f"token {evidence.trace.facts.pad_token_id} (padding)", what

    return first_wrong(judged, wrong, None, tell)


RULES = (
    Rule(
        "emitted-is-last-draft",
        "What is emitted is the draft of the sample's last step, up to the first end-of-sequence token.",
        "DiffusionGemmaGenerationMixin.generate (1.d: argmax_canvas)",
        (need.EMITS_DRAFT, need.EMITTED),
        each(_last_draft),
        "no canvas with a recorded step was emitted",
    ),
    Rule(
        "emitted-is-last-canvas",
        "diffusers and mask-token samplers emit the canvas that the last step leaves: what it accepted or kept; of a "
        "sample of diffusers that stopped by the stop rule, the draft.",
        "diffusers DiffusionGemmaPipeline.__call__, LLaDA2Pipeline.__call__; LLaDA, arXiv 2502.09992, algorithm 4",
        (need.EMITS_CANVAS, need.EMITTED, need.arrays("accepted", "candidate", "noised")),
        each(_last_canvas),
        "no canvas with a recorded step was emitted",
    ),
    Rule(
        "padding-after-end",
        "Everything after the first end-of-sequence token is padding, in later canvases, too; or all of it is left as "
        "the last draft has it, where a runtime keeps the raw canvas.",
        "DiffusionGemmaGenerationMixin._finalize_canvas",
        (need.EMITS_DRAFT, need.EMITTED, need.END_TOKENS, need.PADDING),
        each(_padded),
        "no sequence ended before the end of a canvas",
    ),
)
