"""From a run's buffers to its trace, and from its last step to the record that ``on_step`` gets."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.recorders.host_arrays import read_only
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.derive import derived, entropy_spent, mean_entropy, stable_steps
from dgemma_viz.trace.model import UNKNOWN_TOKEN, Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT, TOKEN_ARRAYS
from dgemma_viz.trace.tokenizer import TokenTexts

Array = npt.NDArray[Any]


def assemble(run: Run, texts: TokenTexts) -> Trace:
    """Trace of an ended run with at least one step. Token texts are made here, for the ids that occur."""
    run.copies.wait()
    steps = run.steps
    always = steps[0].tensors.keys() - RULED_OUT.keys()
    arrays: dict[str, Array] = {name: np.stack([step.array(name) for step in steps]) for name in always}
    arrays |= _ruled_out(steps, arrays["noised"].shape[1:])
    if "decision" in arrays:
        arrays["accepted"] = arrays["decision"] != Decision.NOISE
    for name in ("canvas", "step_in_canvas", "phase", "temperature", "entropy_bound", "wall_time"):
        arrays[name] = np.array([getattr(step, name) for step in steps], dtype=ARRAYS[name].dtype)
    arrays |= derived(arrays) | _around_the_steps(run, arrays["noised"].shape[1:])
    notices = (*run.facts.notices, *_contradictions(arrays))
    ids = np.unique(
        np.concatenate([np.unique(arrays[name]) for name in (*TOKEN_ARRAYS, "banned_draft") if name in arrays])
    )
    ids = ids[ids != UNKNOWN_TOKEN]
    return Trace(
        **arrays,
        facts=replace(run.facts, notices=notices, special_token_ids=texts.special(ids)),
        token_texts=texts.of(ids),
        generator_state=run.generator_state,
    )


def _ruled_out(steps: list[Step], shape: tuple[int, ...]) -> dict[str, Array]:
    """Of steps that were looked at for it; nothing where none of them ruled anything out."""
    looked_at = [step for step in steps if "banned" in step.tensors]
    if not any(step.array("banned").any() for step in looked_at):
        return {}
    nothing = {"banned": np.zeros(shape, np.int32), "banned_draft": np.full(shape, UNKNOWN_TOKEN, np.int32)}
    return {
        name: np.stack([step.array(name) if name in step.tensors else none for step in steps])
        for name, none in nothing.items()
    }


def step_record(run: Run, texts: TokenTexts) -> StepRecord:
    """The last step of a run that is still going on; waits for its arrays to arrive."""
    run.copies.wait()
    step: Step = run.steps[-1]
    arrays = {name: step.array(name) for name in step.tensors}
    decision = arrays.pop("decision", None)
    if decision is not None:
        arrays["accepted"] = decision != Decision.NOISE
    drafts = np.stack([earlier.array("draft") for earlier in run.canvas_steps(step.canvas)])
    return StepRecord(
        canvas=step.canvas,
        step_in_canvas=step.step_in_canvas,
        **arrays,
        decision=arrays["accepted"].astype(np.uint8) if decision is None else decision,
        phase=step.phase,
        mask_token_id=run.facts.mask_token_id,
        temperature=step.temperature,
        entropy_bound=step.entropy_bound,
        entropy_spent=entropy_spent(arrays["entropy"], arrays["accepted"]),
        mean_entropy=mean_entropy(arrays["entropy"]),
        stable_steps=stable_steps(drafts)[-1],
        wall_time=step.wall_time,
        text_of=texts.one,
    )


def record_of(trace: Trace, step: int, texts: TokenTexts) -> StepRecord:
    """One step of a trace, by its number, as ``on_step`` gets it."""
    length = int(trace.length[step])
    per_step = (spec for spec in fields(StepRecord) if spec.name not in ("mask_token_id", "text_of", *RULED_OUT))
    values = {spec.name: getattr(trace, spec.name)[step] for spec in per_step}
    for name, value in values.items():
        if "C" in ARRAYS[name].axes:
            values[name] = value[:, :length]
        elif not value.ndim:
            values[name] = value.item()
    return StepRecord(**values, mask_token_id=trace.facts.mask_token_id, text_of=texts.one)


def _around_the_steps(run: Run, canvas_shape: tuple[int, ...]) -> dict[str, Array]:
    """Prompt and emitted tokens; a run that ended early may have emitted none."""
    samples = canvas_shape[0]
    emitted = [read_only(ids) for ids, _ in run.emitted]
    past_end = [read_only(ended) for _, ended in run.emitted]
    prompt, mask = map(read_only, run.prompt) if run.prompt else (np.zeros((samples, 0), int), np.zeros((samples, 0)))
    return {
        "emitted": np.reshape(emitted, (-1, *canvas_shape)),
        "past_end": np.reshape(past_end, (-1, samples)),
        "prompt": prompt,
        "prompt_mask": mask,
    }


def _contradictions(arrays: dict[str, Array]) -> list[Notice]:
    """Whether the recorded decisions explain what ran: an accepted candidate stands in the next step's canvas."""
    same_canvas = arrays["canvas"][1:] == arrays["canvas"][:-1]
    put = arrays["decision"] == Decision.ACCEPTED if "decision" in arrays else arrays["accepted"]
    kept = put[:-1] & arrays["active"][1:, :, None] & same_canvas[:, None, None]
    lost = int((kept & (arrays["noised"][1:] != arrays["candidate"][:-1])).sum())
    if not lost:
        return []
    text = f"{lost} accepted candidates are missing from the canvas of the step after: the sampler kept other tokens"
    return [Notice(NoticeCode.ACCEPTED_MISSING, f"{text} than its accepted mask, as recorded, says")]
