"""What goes into the output: the last draft up to the end of the sequence, padding after it."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, committed_before, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.decision import Decision, is_accepted
from dgemma_viz.trace.model import CanvasRun


def _last_draft(evidence: Evidence, run: CanvasRun) -> Checked:
    facts = evidence.trace.facts
    if run.emitted is None or not run.n_steps or run.past_end or evidence.ended_before(run):
        return Checked(0)
    draft, emitted = run.array("draft")[-1], run.emitted
    judged = ~evidence.padded(run)
    ends = np.flatnonzero(np.isin(draft, facts.eos_token_ids))
    if len(ends) and facts.pad_token_id is not None:
        judged &= np.arange(len(draft)) <= ends[0]
    wrong = judged & (draft != emitted)
    if not wrong.any():
        return Checked(int(judged.sum()))
    (position,) = first_place(wrong)
    step = int(steps_of(run)[-1])
    return Checked(
        int(judged.sum()),
        Breach(
            None,
            position,
            f"token {emitted[position]}",
            f"token {draft[position]}",
            f"Token {emitted[position]} was emitted, but the draft of step {step}, the sample's last, is token "
            f"{draft[position]}.",
            int(wrong.sum()),
        ),
    )


def _last_canvas(evidence: Evidence, run: CanvasRun) -> Checked:
    if run.emitted is None or not run.n_steps:
        return Checked(0)
    if run.array("finished")[-1] and sampler_kind(evidence.trace) is not SamplerKind.MASKED:
        left, judged = run.array("draft")[-1], np.ones(run.canvas_length, dtype=bool)
    else:
        decision = run.array("decision")[-1]
        left = np.where(decision == Decision.KEPT, run.array("noised")[-1], run.array("candidate")[-1])
        judged = is_accepted(decision) & ~committed_before(evidence, run)[-1]
    judged &= run.in_output & ~evidence.padded(run)
    wrong = judged & (left != run.emitted)
    if not wrong.any():
        return Checked(int(judged.sum()))
    (position,) = first_place(wrong)
    step = int(steps_of(run)[-1])
    return Checked(
        int(judged.sum()),
        Breach(
            None,
            position,
            f"token {run.emitted[position]}",
            f"token {left[position]}",
            f"Token {run.emitted[position]} was emitted, but step {step}, the sample's last, left token "
            f"{left[position]}.",
            int(wrong.sum()),
        ),
    )


def _padded(evidence: Evidence, run: CanvasRun) -> Checked:
    facts = evidence.trace.facts
    if run.emitted is None:
        return Checked(0)
    ended = evidence.ended_before(run) or run.past_end
    ends = np.flatnonzero(np.isin(run.emitted, facts.eos_token_ids))
    start = 0 if ended else int(ends[0]) + 1 if len(ends) else run.canvas_length
    padded = evidence.padded(run)[start:]
    raw = run.array("draft")[-1][start:] == run.emitted[start:] if run.n_steps else np.zeros_like(padded)
    if padded.all() or raw.all():
        return Checked(len(padded))
    wrong = ~padded & ~raw
    if not wrong.any():
        wrong = ~padded  # some of both: the runtime neither keeps its canvas nor pads it
    position = start + first_place(wrong)[0]
    where = "in an earlier canvas" if ended else f"at position {start - 1}"
    return Checked(
        len(wrong),
        Breach(
            None,
            position,
            f"token {run.emitted[position]}",
            f"token {facts.pad_token_id} (padding)",
            f"The sequence ended {where}, but token {run.emitted[position]} was emitted after it.",
            int(wrong.sum()),
        ),
    )


RULES = (
    Rule(
        "emitted-is-last-draft",
        "What is emitted is the draft of the sample's last step, up to the first end-of-sequence token.",
        "DiffusionGemmaGenerationMixin.generate (1.d: argmax_canvas)",
        (needs.emitted,),
        each(_last_draft),
        "no canvas with a recorded step was emitted",
        concerns.generate,
    ),
    Rule(
        "emitted-is-last-canvas",
        "diffusers and mask-token samplers emit the canvas that the last step leaves: what it accepted or kept; of a "
        "sample of diffusers that stopped by the stop rule, the draft.",
        "diffusers DiffusionGemmaPipeline.__call__, LLaDA2Pipeline.__call__; LLaDA, arXiv 2502.09992, algorithm 4",
        (needs.emitted, needs.arrays("accepted", "candidate", "noised")),
        each(_last_canvas),
        "no canvas with a recorded step was emitted",
        concerns.left_canvas,
    ),
    Rule(
        "padding-after-end",
        "Everything after the first end-of-sequence token is padding, in later canvases, too; or all of it is left as "
        "the last draft has it, where a runtime keeps the raw canvas.",
        "DiffusionGemmaGenerationMixin._finalize_canvas",
        (needs.emitted, needs.end_tokens, needs.padding),
        each(_padded),
        "no sequence ended before the end of a canvas",
        concerns.generate,
    ),
)
