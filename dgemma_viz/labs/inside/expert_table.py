"""Experts of a step, layer by layer, beside what the cost model expects of tokens that are routed at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.analysis.inside import distinct_experts, expert_load, expert_overlap
from dgemma_viz.costs import shape
from dgemma_viz.errors import SettingError
from dgemma_viz.trace.inside import Inside

if TYPE_CHECKING:
    import pandas as pd


def expert_table(inside: Inside) -> pd.DataFrame:
    """How the positions share the experts.

    Returns
    -------
    pandas.DataFrame
        One row per layer: ``layer``; ``touched``, experts that any position went through (measured); ``expected``, by
        :func:`dgemma_viz.costs.shape.distinct_experts` (calculated); ``busiest``, share of the positions that went
        through the most used one; ``overlap``, mean share of its experts that a position has in common with another,
        and ``overlap_expected`` if all were chosen at random.

    Raises
    ------
    SettingError
        The inside holds no experts.
    """
    import pandas as pd

    experts, count = inside.experts, inside.facts.experts
    if experts is None or not count:
        raise SettingError("this inside holds no experts: the model has none, or they were not asked for")
    _, positions, active = experts.chosen.shape
    return pd.DataFrame(
        {
            "layer": experts.layer,
            "touched": distinct_experts(experts),
            "expected": shape.distinct_experts(count, active, positions),
            "busiest": expert_load(experts, count).max(axis=1) / positions,
            "overlap": expert_overlap(experts),
            "overlap_expected": active / count,
        }
    )
