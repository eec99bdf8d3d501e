"""One finding of a diagnosis: what, where, by what evidence, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType


class Severity(IntEnum):
    """How bad a finding is; larger is worse."""

    NOTE = 1
    """Worth knowing; the output may well be right."""
    WARNING = 2
    """Likely to cost quality or speed."""
    ERROR = 3
    """The output is wrong, or the sampler did not do what it says."""


@dataclass(frozen=True)
class Finding:
    """One fault in one sample of a trace.

    Attributes
    ----------
    rule
        Name of the rule, e.g. ``"emitted-but-never-accepted"``.
    severity
        See :class:`Severity`.
    sample
        Sample of the batch, from 0.
    canvas
        Canvas, from 0; None where the finding is about the whole run.
    step
        Denoising step within the canvas at which to look, from 0; None where no step is meant.
    positions
        Positions within the canvas, ascending; empty where none are meant.
    what
        One sentence that says what happened, with its numbers. NOT escaped: it may quote token texts.
    remedy
        What to try. One or two sentences.
    evidence
        The numbers behind ``what``, by name.
    """

    rule: str
    severity: Severity
    what: str
    remedy: str
    sample: int = 0
    canvas: int | None = None
    step: int | None = None
    positions: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
