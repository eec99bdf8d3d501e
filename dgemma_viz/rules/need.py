"""What rules judge, and what they need of it.

A :class:`Need` looks at a :class:`Case` and says why a rule cannot be applied to it. Needs that say whose rule a rule
is stand first in a rule's list: other samplers are not judged by it at all. What one rule alone needs stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.restraints import has_processors
from dgemma_viz.analysis.sampler_kind import SamplerKind, has_sweeps, intervened_with, sampler_kind
from dgemma_viz.trace.model import CanvasRun, Trace


@dataclass(frozen=True, eq=False)
class Case:
    """A trace as rules see it.

    Attributes
    ----------
    trace
        The trace.
    settings
        What the sampler was asked for. A name that is missing is not known; None means asked for none.
    judgements
        One per sample: its output against a reference, or None without one.
    """

    trace: Trace
    settings: Mapping[str, Any]
    judgements: tuple[Judgement | None, ...] = ()

    def has(self, name: str) -> bool:
        """Whether an array was recorded, and holds at least one alternative where it is to hold some."""
        return name not in self.trace.facts.absent and (self.trace.top_k > 0 or not name.startswith("top_k_"))

    def number(self, name: str) -> float | None:
        """A setting as a finite number; None if it is none, not known or no number: a file may hold anything."""
        value = self.settings.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return value if is_number else None

    @property
    def kind(self) -> SamplerKind:
        """The sampler's."""
        return sampler_kind(self.trace)

    @property
    def from_diffusers(self) -> bool:
        """Whether one of diffusers' pipelines ran, with a sampler of its own."""
        return self.settings.get("library") == "diffusers" and self.kind is not SamplerKind.OTHER

    def runs(self) -> Iterator[CanvasRun]:
        """Every canvas of every sample, canvases outermost."""
        for canvas in range(self.trace.n_canvases):
            for sample in range(self.trace.n_samples):
                yield self.trace.canvas_run(canvas, sample)


@dataclass(frozen=True)
class Need:
    """Something that a rule cannot do without.

    Attributes
    ----------
    unmet
        Why a case lacks it; empty if it does not.
    arrays
        Arrays that the rule then compares.
    of_other_samplers
        Where it is not met, the rule is one that other samplers keep.
    """

    unmet: Callable[[Case], str]
    arrays: tuple[str, ...] = ()
    of_other_samplers: bool = False


def when(met: Callable[[Case], bool], otherwise: str, *, of_other_samplers: bool = False) -> Need:
    """A need by a predicate, and what is said where it does not hold: a sentence without its full stop."""
    return Need(lambda case: "" if met(case) else otherwise, of_other_samplers=of_other_samplers)


# -- whose rule it is --------------------------------------------------------------------------------------------------


def sampler(*kinds: SamplerKind, otherwise: str = "the sampler is of another kind") -> Need:
    """Samplers of some kinds."""
    return when(lambda case: case.kind in kinds, otherwise, of_other_samplers=True)


def is_block_refinement(case: Case) -> bool:
    """Whether diffusers' scheduler of that name ran, with uniform noise or with a mask token."""
    of_the_name = case.trace.facts.sampler == "BlockRefinementScheduler"
    return case.kind is SamplerKind.BLOCK_REFINEMENT or (case.kind is SamplerKind.MASKED and of_the_name)


ENTROPY_BOUND = sampler(SamplerKind.ENTROPY_BOUND, otherwise="the sampler is not the entropy-bound sampler")
UNIFORM_NOISE = sampler(
    *(kind for kind in SamplerKind if kind.of_the_pipeline), otherwise="no stop rule of this sampler is known"
)
"""Samplers of DiffusionGemma, whose noise is random tokens."""
RE_NOISING = sampler(SamplerKind.ENTROPY_BOUND, SamplerKind.BLOCK_REFINEMENT)
MASKED = sampler(SamplerKind.MASKED)
BLOCKS_OF_MASKS = when(
    lambda case: case.kind is SamplerKind.MASKED and not case.from_diffusers,
    "the canvas is one block",
    of_other_samplers=True,
)
BLOCK_REFINEMENT = when(is_block_refinement, "the sampler is not block refinement", of_other_samplers=True)
EMITS_CANVAS = when(
    lambda case: case.from_diffusers or case.kind is SamplerKind.MASKED,
    "the sampler emits its draft",
    of_other_samplers=True,
)
EMITS_DRAFT = when(
    lambda case: case.kind is SamplerKind.ENTROPY_BOUND and not case.from_diffusers,
    "the sampler does not emit its draft",
    of_other_samplers=True,
)
"""Transformers' ``generate()`` and its ports."""
TOKENS_RULED_OUT = when(lambda case: case.trace.banned is not None, "no token was ruled out", of_other_samplers=True)
REDRAFTS = when(
    lambda case: case.kind is not SamplerKind.CAUSAL,
    "the text was written from left to right: what is written is not drafted again",
    of_other_samplers=True,
)

# -- what was recorded -------------------------------------------------------------------------------------------------


def arrays(*names: str) -> Need:
    """Arrays that were recorded."""

    def unmet(case: Case) -> str:
        missing = [name for name in names if not case.has(name)]
        return f"needs {_listed(missing)}, which the trace does not hold" if missing else ""

    return Need(unmet, names)


def measured(*names: str) -> Need:
    """Arrays that were recorded, and not derived from others: those would agree with themselves."""

    def unmet(case: Case) -> str:
        derived = [name for name in names if name in case.trace.facts.derived]
        return (
            f"needs {_listed(derived)} as the run had it; in this trace it is derived from other arrays"
            if derived
            else ""
        )

    return Need(unmet, names)


def any_array(*names: str) -> Need:
    """At least one of several arrays."""
    return when(lambda case: any(map(case.has, names)), f"needs one of {_listed(names)}; the trace holds none of them")


def values(name: str) -> Need:
    """An array that says NaN where it does not know, with at least one number."""
    return when(
        lambda case: case.has(name) and bool(np.isfinite(getattr(case.trace, name)).any()),
        f"needs '{name}', which the trace does not hold",
    )


EMITTED = when(lambda case: len(case.trace.emitted) > 0, "no canvas was emitted")
COMPLETE = when(lambda case: case.trace.facts.status == "complete", "the run did not complete")
NO_SWEEPS = when(lambda case: not has_sweeps(case.trace), "corrector sweeps stand between the denoising steps")
FINISHED_ROWS = when(
    lambda case: case.has("inactive_rows"), "needs the steps of finished samples, which were not logged"
)
PROCESSORS_RECORDED = when(
    lambda case: case.trace.banned is not None or not has_processors(case.trace),
    "logits processors ran, and ruled no token out, or that was not recorded",
)
TEXTS = when(
    lambda case: len(case.trace.token_texts) > 0, "the trace holds no texts of tokens, by which channels are recognised"
)
VOCABULARY = when(lambda case: case.trace.facts.vocab_size > 1, "needs the size of the vocabulary in the facts")
END_TOKENS = when(lambda case: bool(case.trace.facts.eos_token_ids), "needs the end-of-sequence tokens in the facts")
MASK_TOKEN = when(
    lambda case: case.trace.facts.mask_token_id is not None, "needs the mask token in the facts ('mask_token_id')"
)


def _no_padding(case: Case) -> str:
    pad = case.trace.facts.pad_token_id
    if pad is None:
        return "needs the padding token in the facts"
    return "padding is an end-of-sequence token, too" if pad in case.trace.facts.eos_token_ids else ""


PADDING = Need(_no_padding)
"""A padding id that is not an end-of-sequence id as well."""

# -- how it was run ----------------------------------------------------------------------------------------------------


def settings(*names: str) -> Need:
    """Settings that are known, be it as none."""

    def unmet(case: Case) -> str:
        asked = case.settings
        missing = [n for n in names if n not in asked or (asked[n] is not None and case.number(n) is None)]
        if not missing:
            return ""
        return f"needs the setting {_listed(missing)}: put it into facts.settings, or give it as reference settings"

    return Need(unmet)


STOP_RULE = when(
    lambda case: None not in (case.number("stability_threshold"), case.number("confidence_threshold")),
    "no stability and confidence thresholds are known: the run had no stop rule, or did not record it",
)
STEP_LIMIT = when(
    lambda case: case.number("max_denoising_steps") is not None, "the limit of denoising steps is not known"
)


def left_alone(*interventions: str) -> Need:
    """A run without these kinds of interventions."""

    def unmet(case: Case) -> str:
        found = sorted(intervened_with(case.trace) & set(interventions))
        return f"the run was changed on purpose, by {_listed(found)}" if found else ""

    return Need(unmet)


OF_INPUT = ("Pin", "Replace", "AddNoise")
"""Interventions in what a step reads."""
INPUT_LEFT_ALONE = left_alone(*OF_INPUT)

# -- what is known of the answer ---------------------------------------------------------------------------------------

REFERENCE = when(
    lambda case: any(judgement is not None for judgement in case.judgements),
    "there is no reference: give the right answer or a checker as diagnose(trace, reference), or record it with "
    'task={"reference": ...}',
)
RIGHT_ANSWER = when(
    lambda case: any(judgement is not None and judgement.reference is not None for judgement in case.judgements),
    "the reference only says that the answer is wrong: a checker that returns the right answer lets tokens be judged",
)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
