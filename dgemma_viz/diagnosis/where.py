"""Where a finding is, in words: its sample, canvas, step and positions, and the text that stands there."""

from __future__ import annotations

from collections.abc import Iterable

from dgemma_viz.analysis.passages import final
from dgemma_viz.diagnosis.finding import Finding
from dgemma_viz.diagnosis.quoting import places
from dgemma_viz.trace.model import Trace

_MOST_QUOTED = 2
_NEAR = 6
"""Positions apart that are quoted together."""


def where(trace: Trace, finding: Finding) -> list[str]:
    """The parts of it, e.g. ``["step 3", "positions 5–7", "“… count_words(text: …”"]``.

    The sample and the canvas are left out where there is only one. Nothing is escaped; the text is made visible.
    """
    parts = [f"sample {finding.sample}"] if trace.n_samples > 1 else []
    parts += [f"canvas {finding.canvas}"] if finding.canvas is not None and trace.n_canvases > 1 else []
    parts += [f"step {finding.step}"] if finding.step is not None else []
    parts += [places(finding.positions)] if finding.positions else []
    parts += [quoted] if (quoted := text_of(trace, finding)) else []
    return parts or ["whole run"]


def text_of(trace: Trace, finding: Finding) -> str:
    """The output around a finding's positions, quoted; of a canvas that was not emitted, its last draft.

    Positions far apart are quoted apart, the first two of them. End and padding tokens are left out, but for those at
    the positions. Empty for a finding without positions.
    """
    if finding.canvas is None or not finding.positions:
        return ""
    text = final(trace.canvas_run(finding.canvas, finding.sample), finding.positions)
    near = _near(finding.positions)
    quoted = list(dict.fromkeys(text.at(positions) for positions in near[:_MOST_QUOTED]))
    more = len(near) - _MOST_QUOTED
    return f"{', '.join(filter(None, quoted))}{f' and {more} more' if more > 0 else ''}"


def _near(positions: Iterable[int]) -> list[list[int]]:
    """The positions in ascending order, those near to each other together."""
    groups: list[list[int]] = []
    for position in sorted(positions):
        if groups and position - groups[-1][-1] <= _NEAR:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups
