"""What a rule needs from a trace. Each need is a function that says what is lacking; empty text if nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dgemma_viz.analysis.sampler_kind import has_sweeps, intervened_with
from dgemma_viz.conformance.evidence import Evidence

Need = Callable[["Evidence"], str]
READ = ("Pin", "Replace", "AddNoise")
"""Interventions in what a step reads."""


@dataclass(frozen=True)
class Arrays:
    """Arrays that were recorded, which a rule compares."""

    names: tuple[str, ...]

    def __call__(self, evidence: Evidence) -> str:
        """Which of them are lacking."""
        missing = [name for name in self.names if not evidence.has(name)]
        return f"needs {_listed(missing)}, which the trace does not hold" if missing else ""


def arrays(*names: str) -> Need:
    """Arrays that were recorded."""
    return Arrays(names)


def any_array(*names: str) -> Need:
    """At least one of several arrays."""

    def lacking(evidence: Evidence) -> str:
        return "" if any(map(evidence.has, names)) else f"needs one of {_listed(names)}; the trace holds none of them"

    return lacking


def known_values(name: str) -> Need:
    """An array that says NaN where it does not know, with at least one number."""

    def lacking(evidence: Evidence) -> str:
        known = evidence.has(name) and np.isfinite(getattr(evidence.trace, name)).any()
        return "" if known else f"needs '{name}', which the trace does not hold"

    return lacking


def settings(*names: str) -> Need:
    """Settings that are known, be it as none."""

    def lacking(evidence: Evidence) -> str:
        missing = [
            name
            for name in names
            if name not in evidence.settings or (evidence.settings[name] is not None and evidence.number(name) is None)
        ]
        if not missing:
            return ""
        return f"needs the setting {_listed(missing)}: put it into facts.settings, or give it as reference settings"

    return lacking


def left_alone(*interventions: str) -> Need:
    """A run without these kinds of interventions."""

    def lacking(evidence: Evidence) -> str:
        found = sorted(intervened_with(evidence.trace) & set(interventions))
        return f"the run was changed on purpose, by {_listed(found)}" if found else ""

    return lacking


def no_sweeps(evidence: Evidence) -> str:
    """Denoising steps alone."""
    swept = has_sweeps(evidence.trace)
    return "corrector sweeps stand between the denoising steps" if swept else ""


def vocabulary(evidence: Evidence) -> str:
    """A vocabulary of at least two tokens."""
    return "" if evidence.trace.facts.vocab_size > 1 else "needs the size of the vocabulary in the facts"


def end_tokens(evidence: Evidence) -> str:
    """End-of-sequence ids."""
    return "" if evidence.trace.facts.eos_token_ids else "needs the end-of-sequence tokens in the facts"


def padding(evidence: Evidence) -> str:
    """A padding id that is not an end-of-sequence id as well."""
    pad = evidence.trace.facts.pad_token_id
    if pad is None:
        return "needs the padding token in the facts"
    return "padding is an end-of-sequence token, too" if pad in evidence.trace.facts.eos_token_ids else ""


def mask_token(evidence: Evidence) -> str:
    """The token that stands for noise."""
    return (
        "" if evidence.trace.facts.mask_token_id is not None else "needs the mask token in the facts ('mask_token_id')"
    )


def emitted(evidence: Evidence) -> str:
    """At least one canvas that was emitted."""
    return "" if len(evidence.trace.emitted) else "no canvas was emitted"


def inactive_rows(evidence: Evidence) -> str:
    """Steps of samples that had finished before."""
    return "" if evidence.has("inactive_rows") else "needs the steps of finished samples, which were not logged"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
