"""What the inspector says of one position at one step: which rows there are.

:func:`rows_of` lists the rows of a run: names, order, provenance, which array, and none of what the run does not say.
``static/position_rows.js`` reads the text of each kind of row from the records of the run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from dgemma_viz.analysis.acceptance import WHY
from dgemma_viz.analysis.sampler_kind import SamplerKind, has_sweeps, sampler_kind
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import UNRECORDED, decision_marks
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import ARRAYS, Provenance
from dgemma_viz.views.words import term

Kind = Literal[
    "token",
    "number",
    "outcome",
    "phase",
    "left",
    "own_draft",
    "why",
    "taken_back",
    "flips",
    "commit_step",
    "ever_accepted",
]


@dataclass(frozen=True)
class Row:
    """One row of an inspector.

    Attributes
    ----------
    name
        What it is, on screen.
    kind
        How its text is made.
    source
        Whether that was measured or derived.
    array
        Of the trace, for tokens and numbers.
    unit
        Of a number.
    recorded
        Whether the trace holds the array.
    """

    name: str
    kind: Kind
    source: Provenance
    array: str = ""
    unit: str = ""
    recorded: bool = True


def rows_of(run: CanvasRun) -> tuple[Row, ...]:
    """The rows of a run, top first."""
    absent, derived = run.trace.facts.absent, run.trace.facts.derived
    decided, emitted = "accepted" not in absent, run.emitted is not None

    def recorded(name: str, kind: Kind, array: str, unit: str = "") -> Row:
        source = "derived" if array in derived else ARRAYS[array].provenance
        return Row(name, kind, source, array, unit, array not in absent)

    rows = [
        recorded("read (noised)", "token", "noised"),
        recorded("candidate", "token", "candidate"),
        recorded("candidate's probability", "number", "candidate_probability"),
        recorded("draft", "token", "draft"),
        recorded("confidence", "number", "confidence"),
        recorded("entropy", "number", "entropy", "nats"),
        recorded("after the step", "outcome", "accepted"),
    ]
    if run.trace.banned is not None:
        rows.append(Row("left to choose from", "left", "measured"))
        rows.append(Row("model's own draft", "own_draft", "measured"))
    if has_sweeps(run.trace):
        rows.append(recorded("kind of step", "phase", "phase"))
    if decided and sampler_kind(run.trace) is SamplerKind.ENTROPY_BOUND:
        rows.append(Row("why", "why", "derived"))
    if decided:
        rows.append(Row("taken back now", "taken_back", "derived"))
    rows += [Row("flips up to here", "flips", "derived"), Row("commit step", "commit_step", "derived")]
    if emitted:
        rows.append(recorded("emitted", "token", "emitted"))
    if emitted and decided and "candidate" not in absent:
        words = decision_marks(run.trace)[Decision.ACCEPTED].label
        rows.append(Row(f"emitted token ever {words}", "ever_accepted", "derived"))
    return tuple(rows)


_WORDS = {
    "read (noised)": "noised canvas",
    "after the step": "accepted",
    "taken back now": "taken back",
    "flips up to here": "flip",
    "emitted": "emitted token",
}
"""Rows that the glossary has under another name."""


def row_term(name: str) -> str:
    """HTML of a row's name, which opens its meaning where the glossary has one."""
    return term(name, _WORDS.get(name))


def rows_to_json(run: CanvasRun) -> dict[str, Any]:
    """The rows, and what their texts need that the records do not hold."""
    bounds = run.array("entropy_bound").tolist()
    return {
        "rows": [asdict(row) | {"term": row_term(row.name)} for row in rows_of(run)],
        "unrecorded": UNRECORDED.label,
        "why": {"sentences": WHY, "bounds": [bound if np.isfinite(bound) else None for bound in bounds]},
        "denoise": PHASES[0],
        "emitted": None if run.emitted is None else run.emitted.tolist(),
    }
