"""Names, axes and dtypes of everything that a trace holds: the one place that says what a trace is.

Axes
----
``S``  denoising steps of the whole run, in the order they ran, over all canvases (each takes as many as it needs)
``B``  samples of the batch
``C``  positions of the longest canvas; ``length`` says how many a step's canvas has
``K``  alternatives kept per position, most probable first
``N``  canvases
``P``  prompt tokens, left-padded as given to ``generate()``

Where there is nothing to hold, an array says so by a value of its own: token arrays :data:`UNKNOWN_TOKEN`, floats NaN,
``accepted`` false and ``decision`` :data:`~dgemma_viz.trace.decision.NO_DECISION`. That is so

- beyond a canvas that is shorter than the longest, in every array of positions;
- in ``candidate``, ``candidate_probability``, ``accepted`` and ``decision`` of a step that made no decision: a sampler
  may emit the argmax of its last step without sampling;
- throughout an array that was not recorded, which :attr:`~dgemma_viz.trace.model.RunFacts.absent` names (there,
  ``decision`` is noise).

Every array is labelled *measured* (copied or reduced from what the running sampler used) or *derived* (computed from
measured arrays by a formula that its description states), so that views can say which on screen.

Versions
--------
:data:`SCHEMA_VERSION` is raised by every change that an earlier reader would refuse or misread: a new or dropped array
or run fact, another dtype, another meaning. Every version from 1 on opens, with what it lacks derived from its other
arrays; saving writes the newest. A version is dropped by a major release only, and the last minor release before it
warns when such a file is opened (saving the trace there keeps it). A file of a newer version is refused, never read in
part, and the message says to update. JSON lines count their own ``version`` in the same way. ``tests/trace/files``
holds a file of each version, written by that version's own code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 6
"""2 added ``decision`` and ``phase``; both follow from the other arrays in a trace of version 1. 3 compresses the token
texts. 4 added ``length``, for canvases of different lengths, and steps without a decision. 5 added the fact
``special_token_ids``, and what logits processors ruled out (:data:`RULED_OUT`), to files of runs in which they did.
6 gives what the recorder warned of a code: the fact ``notices`` in place of ``warnings``, whose sentences get codes
when an older file is opened (:mod:`~dgemma_viz.trace.older_facts`)."""

UNKNOWN_TOKEN = -1
"""Stands for a token id where there is none, and nowhere else."""

Provenance = Literal["measured", "derived", "illustrative"]


@dataclass(frozen=True)
class ArraySpec:
    """One array of a trace: its axes (letters above), dtype, provenance and meaning."""

    axes: str
    dtype: str
    provenance: Provenance
    description: str


ARRAYS: dict[str, ArraySpec] = {
    "canvas": ArraySpec("S", "int32", "measured", "canvas that the step worked on, from 0"),
    "step_in_canvas": ArraySpec("S", "int32", "measured", "denoising step within its canvas, from 0"),
    "length": ArraySpec(
        "S", "int32", "measured", "positions of the canvas that the step worked on; nothing beyond them"
    ),
    "noised": ArraySpec("SBC", "int32", "measured", "token ids that the step read"),
    "candidate": ArraySpec("SBC", "int32", "measured", "token ids sampled in the step"),
    "draft": ArraySpec("SBC", "int32", "measured", "argmax token ids of the step"),
    "accepted": ArraySpec("SBC", "bool", "measured", "kept after the step; other positions hold noise (or the mask)"),
    "entropy": ArraySpec("SBC", "float32", "measured", "entropy in nats of the distribution that the sampler used"),
    "confidence": ArraySpec("SBC", "float32", "measured", "probability of the draft under that distribution"),
    "candidate_probability": ArraySpec("SBC", "float32", "measured", "probability of the candidate under it"),
    "top_k_ids": ArraySpec("SBCK", "int32", "measured", "most probable token ids, best first"),
    "top_k_probabilities": ArraySpec("SBCK", "float16", "measured", "their probabilities"),
    "active": ArraySpec("SB", "bool", "measured", "sample still denoising its canvas when the step began"),
    "finished": ArraySpec("SB", "bool", "measured", "sample's canvas declared finished by the end of the step"),
    "temperature": ArraySpec("S", "float32", "measured", "what the logits were divided by; NaN if unknown"),
    "entropy_bound": ArraySpec("S", "float32", "measured", "bound in nats that the step really used; NaN if none"),
    "entropy_spent": ArraySpec(
        "SB", "float32", "derived", "sum of accepted entropies less the largest (what the bound limits), nats"
    ),
    "mean_entropy": ArraySpec("SB", "float32", "derived", "mean entropy over the canvas, nats (confidence stop)"),
    "stable_steps": ArraySpec(
        "SB", "int32", "derived", "consecutive steps up to this one with an unchanged draft (stability stop)"
    ),
    "wall_time": ArraySpec("S", "float64", "measured", "seconds from the start of the run to the end of the step"),
    "emitted": ArraySpec("NBC", "int32", "measured", "token ids appended to the output for each canvas"),
    "past_end": ArraySpec("NB", "bool", "measured", "the sample had ended before this canvas: its tokens are padding"),
    "decision": ArraySpec(
        "SBC", "uint8", "measured", "what became of the position: dgemma_viz.trace.decision.Decision"
    ),
    "phase": ArraySpec("S", "uint8", "measured", "kind of step: dgemma_viz.trace.decision.Phase"),
    "prompt": ArraySpec("BP", "int32", "measured", "prompt token ids"),
    "prompt_mask": ArraySpec("BP", "bool", "measured", "which prompt tokens are real (false: padding)"),
}

RULED_OUT: dict[str, ArraySpec] = {
    "banned": ArraySpec("SBC", "int32", "measured", "tokens that whatever edits the logits left no probability"),
    "banned_draft": ArraySpec(
        "SBC", "int32", "measured", "argmax of the model's own logits where it was ruled out; elsewhere -1"
    ),
}
"""Arrays of traces in which tokens were ruled out, and of no others: None says that none were, or that nobody looked.
``banned_draft`` is -1 throughout where only edited logits were seen."""

DEFAULTED = ("length", "decision", "phase")
"""Arrays that need not be given: equally long canvases, accepted or noise, and ordinary denoising steps, as
transformers' sampler has them."""

OF_A_DECISION = ("candidate", "candidate_probability", "accepted", "decision")
"""Arrays that hold nothing in a step that made no decision."""

MAY_LACK = (
    "noised",
    "candidate",
    "accepted",
    "entropy",
    "confidence",
    "candidate_probability",
    "top_k_ids",
    "top_k_probabilities",
    "finished",
    "temperature",
    "entropy_bound",
    "wall_time",
)
"""Arrays that other runtimes, and loops that hand over what they have, may leave out throughout a run."""

TOKEN_ARRAYS = ("noised", "candidate", "draft", "top_k_ids", "emitted", "prompt")
"""Arrays that hold token ids."""
