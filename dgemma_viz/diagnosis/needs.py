"""What rules need from a run, and what is said where a run lacks it."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.restraints import has_processors
from dgemma_viz.analysis.sampler_kind import SamplerKind, has_sweeps, intervened_with, sampler_kind
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.diagnosis.rule import Need


def _has_judgement(case: RunCase) -> bool:
    return any(judgement is not None for judgement in case.judgements)


def _has_right_answer(case: RunCase) -> bool:
    return not _has_judgement(case) or any(
        judgement is not None and judgement.reference is not None for judgement in case.judgements
    )


def _has_stop_rule(case: RunCase) -> bool:
    return all(case.setting(name) is not None for name in ("stability_threshold", "confidence_threshold"))


def _of_the_reference(case: RunCase) -> bool:
    return sampler_kind(case.trace) is SamplerKind.ENTROPY_BOUND


ENTROPY_BOUND = Need(_of_the_reference, "the sampler has no entropy bound")
DECISIONS = Need(
    lambda case: "accepted" not in case.trace.facts.absent, "the trace does not hold what became of the positions"
)
SCHEDULE = Need(_of_the_reference, "the sampler has no temperature schedule that was released with it")
UNCHANGED = Need(
    lambda case: "ChangeParameters" not in intervened_with(case.trace),
    "parameters were changed on purpose in the middle of the run",
)
NOT_PINNED = Need(lambda case: "Pin" not in intervened_with(case.trace), "tokens were pinned on purpose")
ADAPTIVE = Need(
    lambda case: sampler_kind(case.trace).of_the_pipeline and not has_sweeps(case.trace),
    "no stop rule of this sampler is known, or sweeps stand between its steps",
)
RE_READ = Need(
    lambda case: sampler_kind(case.trace) is not SamplerKind.CAUSAL,
    "the text was written from left to right: what is written is not drafted again",
)
REFERENCE = Need(
    _has_judgement,
    "there is no reference: give the right answer or a checker as diagnose(trace, reference), or record it with "
    'task={"reference": ...}',
)
RIGHT_ANSWER = Need(
    _has_right_answer,
    "the reference only says that the answer is wrong: a checker that returns the right answer lets tokens be judged",
)
EMITTED = Need(lambda case: len(case.trace.emitted) > 0, "no canvas was emitted")
COMPLETE = Need(lambda case: case.trace.facts.status == "complete", "the run did not complete")
END_TOKENS = Need(lambda case: bool(case.trace.facts.eos_token_ids), "the trace's facts name no end-of-sequence tokens")
PAD_TOKEN = Need(lambda case: case.trace.facts.pad_token_id is not None, "the trace's facts name no padding token")
TEXTS = Need(
    lambda case: len(case.trace.token_texts) > 0, "the trace holds no texts of tokens, by which channels are recognised"
)
STOP_RULE = Need(
    _has_stop_rule, "no stability and confidence thresholds are known: the run had no stop rule, or did not record it"
)
STEP_LIMIT = Need(
    lambda case: case.setting("max_denoising_steps") is not None, "the limit of denoising steps is not known"
)
RULED_OUT = Need(
    lambda case: case.trace.banned is not None or not has_processors(case.trace),
    "logits processors ran, and ruled no token out, or that was not recorded",
)
ENTROPIES = Need(lambda case: bool(np.isfinite(case.trace.entropy).any()), "the trace holds no entropies")
CONFIDENCES = Need(lambda case: bool(np.isfinite(case.trace.confidence).any()), "the trace holds no confidences")
TEMPERATURES = Need(lambda case: bool(np.isfinite(case.trace.temperature).any()), "the trace holds no temperatures")
