"""One finding: what, where, by what evidence, and what to try; and the phrases that findings are made of.

Sentences quote token texts, which are hostile data. :func:`quote` writes control, zero-width and text-direction
characters as escapes. Nothing here is escaped for HTML: whoever shows a finding does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.passages import final
from dgemma_viz.plain_text import joined
from dgemma_viz.trace.model import Trace

_MOST_CHARACTERS = 60
_MOST_SPANS = 8
_MOST_QUOTED = 2
_NEAR = 6
"""Positions apart that are quoted together."""


class Severity(IntEnum):
    """How bad a finding is; larger is worse."""

    NOTE = 1
    """Worth knowing; the output may well be right."""
    WARNING = 2
    """Likely to cost quality or speed."""
    ERROR = 3
    """The output is wrong, or the sampler did not do what it says."""

    @property
    def word(self) -> str:
        """``"note"``, ``"warning"`` or ``"error"``."""
        return self.name.lower()

    @property
    def mark(self) -> str:
        """Stands beside the word, so that the worst is found at a glance and not by colour alone."""
        return {Severity.ERROR: "✖", Severity.WARNING: "▲", Severity.NOTE: "•"}[self]


@dataclass(frozen=True)
class Finding:
    """One fault in one sample of a trace.

    Attributes
    ----------
    severity
        See :class:`Severity`.
    what
        One sentence that says what happened, with its numbers. NOT escaped: it may quote token texts.
    rule
        Name of the rule, e.g. ``"emitted-but-never-accepted"``.
    remedy
        What to try, in one or two sentences; empty where the rule itself says it.
    trace, trace_name
        Index of the trace among those judged, and what to call it; an empty name where there is but one.
    sample
        Sample of the batch, from 0.
    canvas
        Canvas, from 0; None where the finding is about the whole run.
    step
        Denoising step within the canvas at which to look, from 0; None where no step is meant.
    positions
        Positions within the canvas, ascending; empty where none are meant.
    found, expected
        What stands there and what the rule gives, as short texts; empty where ``what`` says it all.
    places
        Steps and positions of this canvas that break the rule.
    evidence
        The numbers behind ``what``, by name.
    """

    severity: Severity
    what: str
    rule: str = ""
    remedy: str = ""
    trace: int = 0
    trace_name: str = ""
    sample: int = 0
    canvas: int | None = None
    step: int | None = None
    positions: tuple[int, ...] = ()
    found: str = ""
    expected: str = ""
    places: int = 1
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def position(self) -> int | None:
        """The first of the positions."""
        return self.positions[0] if self.positions else None

    @property
    def where(self) -> str:
        """``canvas 0, step 3, sample 0, position 7``; of several traces also which."""
        parts = [("canvas", self.canvas), ("step", self.step), ("sample", self.sample), ("position", self.position)]
        named = [f"{name} {value}" for name, value in parts if value is not None]
        return ", ".join([self.trace_name, *named] if self.trace_name else named)


def place_of(trace: Trace, finding: Finding) -> list[str]:
    """Where a finding is, e.g. ``["step 3", "positions 5–7", "“… count_words(text: …”"]``.

    The sample and the canvas are left out where there is only one. Nothing is escaped; the text is made visible.
    """
    parts = [f"sample {finding.sample}"] if trace.n_samples > 1 else []
    parts += [f"canvas {finding.canvas}"] if finding.canvas is not None and trace.n_canvases > 1 else []
    parts += [f"step {finding.step}"] if finding.step is not None else []
    parts += [places(finding.positions)] if finding.positions else []
    parts += [quoted] if (quoted := text_at(trace, finding)) else []
    return parts or ["whole run"]


def text_at(trace: Trace, finding: Finding) -> str:
    """The output around a finding's positions, quoted; of a canvas that was not emitted, its last draft.

    Positions far apart are quoted apart, the first two of them. End and padding tokens are left out, but for those at
    the positions. Empty for a finding without positions.
    """
    if finding.canvas is None or not finding.positions:
        return ""
    text = final(trace.canvas_run(finding.canvas, finding.sample), finding.positions)
    near: list[list[int]] = []
    for position in sorted(finding.positions):
        if near and position - near[-1][-1] <= _NEAR:
            near[-1].append(position)
        else:
            near.append([position])
    quoted = list(dict.fromkeys(text.at(positions) for positions in near[:_MOST_QUOTED]))
    return f"{', '.join(filter(None, quoted))}{_more(len(near) - _MOST_QUOTED)}"


def summary(findings: Sequence[Finding]) -> str:
    """How many findings there are of each severity, worst first: ``"1 error, 2 notes"``; empty if none."""
    counts = [(one.word, sum(f.severity is one for f in findings)) for one in sorted(Severity, reverse=True)]
    return ", ".join(counted(number, word) for word, number in counts if number)


def quote(texts: Iterable[str]) -> str:
    """Token texts joined to whole characters, as a quoted literal; cut in the middle where long."""
    text = joined(texts)
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = f"{text[:half]}…{text[-half:]}"
    return repr(text)


def spans(positions: Iterable[int]) -> list[str]:
    """Ascending positions with neighbours joined: ``["3", "5–7"]``."""
    ordered = sorted(positions)
    starts = [p for before, p in pairwise([-2, *ordered]) if p != before + 1]
    ends = [p for p, after in pairwise([*ordered, ordered[-1] + 2]) if after != p + 1] if ordered else []
    return [f"{a}" if a == b else f"{a}–{b}" for a, b in zip(starts, ends, strict=True)]


def places(positions: Iterable[int]) -> str:
    """``"position 3"``, ``"positions 3, 5–7"``, or the first few spans and how many more."""
    found = spans(positions)
    several = len(found) > 1 or not found[0].isdecimal()
    return f"position{'s' if several else ''} {', '.join(found[:_MOST_SPANS])}{_more(len(found) - _MOST_SPANS)}"


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""
