"""The Pareto frontier: what nothing else beats in both cost and value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pareto_frontier(cost: npt.ArrayLike, value: npt.ArrayLike) -> npt.NDArray[Any]:
    """Which points are not dominated.

    A point is dominated if another costs no more and is worth no less, and is better in one of the two (Pareto
    efficiency, as in Miettinen, Nonlinear Multiobjective Optimization, 1999, definition 2.2.1). Points that are equal
    do not dominate each other. It compares the numbers as they are: where they are estimates, look at their intervals.

    Parameters
    ----------
    cost, value
        ``(N,)``: less is better, more is better. A point with a NaN is not on the frontier and dominates none.

    Returns
    -------
    np.ndarray
        Bool ``(N,)``.
    """
    costs, values = np.asarray(cost, dtype=float), np.asarray(value, dtype=float)
    known = np.isfinite(costs) & np.isfinite(values)
    frontier = np.zeros(len(costs), dtype=bool)
    best, best_cost = -np.inf, np.nan
    for index in np.lexsort((-values, costs)):
        if not known[index]:
            continue
        new_best = values[index] > best
        if new_best or (values[index] == best and costs[index] == best_cost):
            frontier[index] = True
        if new_best:
            best, best_cost = values[index], costs[index]
    return frontier
