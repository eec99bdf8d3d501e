"""What two runs were asked and what they ran on: rows of a name and both values, and which of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.schema import Provenance


@dataclass(frozen=True)
class FactRow:
    """One fact of both runs.

    Attributes
    ----------
    name
        In words, as on screen.
    a, b
        Plain values (text, number, tuple of texts), or None where unknown.
    provenance
        ``"measured"`` (recorded) or ``"derived"`` (computed).
    """

    name: str
    a: Any
    b: Any
    provenance: Provenance = "measured"

    @property
    def changed(self) -> bool:
        """Whether the values differ; two that are not numbers do not."""
        return not (self.a == self.b or (self.a != self.a and self.b != self.b))


def facts_of_both(a: Trace, b: Trace, sample: int = 0) -> tuple[FactRow, ...]:
    """Every fact of the runs: prompt, seed, settings, sampler, model, machine, versions, how they ended.

    ``started`` is left out, as no two runs share it. The prompt is None where a trace does not have the sample, or does
    not hold its prompt.
    """
    prompt_a, prompt_b = (trace.prompt_text(sample) or None if sample < trace.n_samples else None for trace in (a, b))
    return (
        FactRow("prompt", prompt_a, prompt_b),
        FactRow("seed", a.facts.seed, b.facts.seed),
        FactRow("random generator at the start", _fingerprint(a), _fingerprint(b)),
        *_entries(a.facts.settings, b.facts.settings),
        *_attributes(a.facts, b.facts, sampler="sampler", sampler_kind="kind of sampler"),
        *_attributes(a.facts, b.facts, model_id="model", model_class="model class"),
        *_attributes(a.facts, b.facts, vocab_size="vocabulary", device="device", dtype="precision"),
        FactRow("canvas length", _lengths(a), _lengths(b)),
        FactRow("batch size", a.n_samples, b.n_samples),
        *_entries(a.facts.versions, b.facts.versions, "version of "),
        *_attributes(a.facts, b.facts, status="status", error="error"),
        FactRow("warnings", _warnings(a), _warnings(b)),
    )


def changed_facts(a: Trace, b: Trace, sample: int = 0) -> tuple[FactRow, ...]:
    """Those rows of :func:`facts_of_both` whose values differ."""
    return tuple(row for row in facts_of_both(a, b, sample) if row.changed)


def _lengths(trace: Trace) -> int | tuple[int, ...]:
    """One length, or that of each canvas where they differ."""
    return tuple(trace.canvas_lengths.tolist()) if trace.is_ragged else trace.canvas_length


def _warnings(trace: Trace) -> tuple[str, ...]:
    return tuple(notice.text for notice in trace.facts.notices)


def _entries(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> Iterator[FactRow]:
    for name in dict.fromkeys([*a, *b]):
        yield FactRow(f"{prefix}{name}" if prefix else name.replace("_", " "), a.get(name), b.get(name))


def _attributes(a: RunFacts, b: RunFacts, **words: str) -> Iterator[FactRow]:
    for name, shown in words.items():
        yield FactRow(shown, getattr(a, name), getattr(b, name))


def _fingerprint(trace: Trace) -> str | None:
    """Eight digits that tell one state of the random generator from another."""
    return None if trace.generator_state is None else sha256(trace.generator_state.tobytes()).hexdigest()[:8]
