"""What an inspector says of one position at one step: the one definition of its rows.

:func:`rows_of` lists the rows of a run: names, order, provenance, which array, and none of what the run does not say.
Notebooks take the texts from :func:`text_of`. An exported page has no Python: it gets the same list as JSON
(:func:`rows_to_json`), and ``export/static/position_rows.js`` reads each kind of row from the records of the token
canvas. ``tests/export/test_position_rows.py`` holds the texts of both equal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dgemma_viz.analysis.acceptance import WHY, why
from dgemma_viz.analysis.positions import commit_steps, ever_accepted, flips, re_noised_again
from dgemma_viz.analysis.sampler_kind import SamplerKind, has_sweeps, sampler_kind
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import UNRECORDED, decision_marks, outcome
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.decision import NO_DECISION, Decision
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.widgets.words import term

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dgemma_viz.trace.model import CanvasRun
    from dgemma_viz.trace.schema import Provenance

Kind = Literal["token", "number", "outcome", "phase", "why", "taken_back", "flips", "commit_step", "ever_accepted"]


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
    absent = run.trace.facts.absent
    decided, emitted = "accepted" not in absent, run.emitted is not None

    def recorded(name: str, kind: Kind, array: str, unit: str = "") -> Row:
        return Row(name, kind, ARRAYS[array].provenance, array, unit, array not in absent)

    rows = [
        recorded("read (noised)", "token", "noised"),
        recorded("candidate", "token", "candidate"),
        recorded("candidate's probability", "number", "candidate_probability"),
        recorded("draft", "token", "draft"),
        recorded("confidence", "number", "confidence"),
        recorded("entropy", "number", "entropy", "nats"),
        recorded("after the step", "outcome", "accepted"),
    ]
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


def text_of(row: Row, run: CanvasRun, step: int, position: int) -> str:
    """What a row says of a position at a step. NOT escaped for HTML."""
    return _TEXTS[row.kind](row, run, step, position) if row.recorded else UNRECORDED.label


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
    """The rows, and what their texts need that the records of a token canvas do not hold."""
    bounds = run.array("entropy_bound").tolist()
    return {
        "rows": [asdict(row) for row in rows_of(run)],
        "unrecorded": UNRECORDED.label,
        "why": {"sentences": WHY, "bounds": [bound if np.isfinite(bound) else None for bound in bounds]},
        "denoise": PHASES[0],
        "emitted": None if run.emitted is None else run.emitted.tolist(),
    }


def _token(row: Row, run: CanvasRun, step: int, position: int) -> str:
    ids = run.emitted if row.array == "emitted" and run.emitted is not None else run.array(row.array)[step]
    token = int(ids[position])
    if token == UNKNOWN_TOKEN:  # the candidate of a step that made no decision
        return decision_marks(run.trace)[NO_DECISION].label
    return "mask" if token == run.trace.facts.mask_token_id else display_text(run.token_text(token))


def _number(row: Row, run: CanvasRun, step: int, position: int) -> str:
    value = float(run.array(row.array)[step, position])
    return f"{value:.4g}\u00a0{row.unit}".rstrip() if np.isfinite(value) else "unknown"


def _yes(flag: Any) -> str:
    return "yes" if flag else "no"


_TEXTS: Mapping[Kind, Callable[[Row, CanvasRun, int, int], str]] = {
    "token": _token,
    "number": _number,
    "outcome": lambda _, run, step, position: outcome(run, step, position).label,
    "phase": lambda _, run, step, __: PHASES[int(run.trace.phase[run.steps[step]])],
    "why": lambda _, run, step, position: why(run, step, position),
    "taken_back": lambda _, run, step, position: _yes(re_noised_again(run)[step, position]),
    "flips": lambda _, run, step, position: str(int(flips(run)[: step + 1, position].sum())),
    "commit_step": lambda _, run, __, position: str(int(commit_steps(run)[position])),
    "ever_accepted": lambda _, run, __, position: _yes(ever_accepted(run)[position]),
}
