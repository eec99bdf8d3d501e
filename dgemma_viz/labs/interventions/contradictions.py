"""Two interventions that cannot both be carried out, found before anything runs."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.interventions.forced_decisions import ForceAccept, ForceRenoise
from dgemma_viz.trace.interventions.run_conditions import ChangeParameters
from dgemma_viz.trace.interventions.tokens_read import AddNoise, Pin, Replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dgemma_viz.trace.interventions.intervention import Intervention


def refuse_contradictions(interventions: Sequence[Intervention]) -> None:
    """Raise SettingError on the first two that want different things of one position in one step of one sample.

    Tokens must be ids by now. Noise at positions that are chosen at random contradicts nothing: it gives way.
    """
    for first, second in combinations(interventions, 2):
        if not _meet(first, second):
            continue
        for what in _differences(first, second):
            raise SettingError(f"{what} wanted twice, and differently: {first.describe()}; and {second.describe()}")


def _meet(first: Intervention, second: Intervention) -> bool:
    """Whether a sample has a step in which both hold."""
    if first.sample is not None and second.sample is not None and first.sample != second.sample:
        return False
    if isinstance(first, ChangeParameters) and isinstance(second, ChangeParameters):
        return first.begins == second.begins
    later = max(first, second, key=lambda one: one.step)
    canvas = first.begins[0] if first.canvas is not None else second.begins[0]
    return first.holds(canvas, later.step) and second.holds(canvas, later.step)


def _differences(first: Intervention, second: Intervention) -> Iterator[str]:
    reads, others = _tokens(first), _tokens(second)
    for position in reads.keys() & others.keys():
        if reads[position] is None or reads[position] != others[position]:
            yield f"the token at position {position} is"
    decisions, other_decisions = _decisions(first), _decisions(second)
    for position in decisions.keys() & other_decisions.keys():
        if decisions[position] != other_decisions[position]:
            yield f"the decision at position {position} is"
    if isinstance(first, ChangeParameters) and isinstance(second, ChangeParameters):
        for name in first.values.keys() & second.values.keys():
            if first.values[name] != second.values[name]:
                yield f"the parameter {name} is"


def _tokens(one: Intervention) -> dict[int, object]:
    """Token by position that a step is to read; None for noise."""
    if isinstance(one, Pin):
        return {one.position: one.token}
    if isinstance(one, Replace):
        return dict(one.tokens)
    return dict.fromkeys(one.positions_named()) if isinstance(one, AddNoise) else {}


def _decisions(one: Intervention) -> dict[int, bool]:
    """Accepted or not, by position. What is pinned is to be accepted."""
    if isinstance(one, Pin | ForceAccept):
        return dict.fromkeys(one.positions_named(), True)
    return dict.fromkeys(one.positions_named(), False) if isinstance(one, ForceRenoise) else {}
