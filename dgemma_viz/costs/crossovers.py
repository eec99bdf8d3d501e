"""From how many users on another way serves more than diffusion: as a range, because it hangs on an assumed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.costs.calibration import COMPUTE_RANGE
from dgemma_viz.costs.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd


def crossover_table(scenario: Scenario, shares: tuple[float, float] = COMPUTE_RANGE) -> pd.DataFrame:
    """The crossover against each other way of decoding, between two shares of the peak of the compute units.

    Parameters
    ----------
    scenario
        Model, format, device and work; its ``batch`` plays no part.
    shares
        Lowest and highest share that is thought possible; no published figure shows it.

    Returns
    -------
    pandas.DataFrame
        ``way``; ``users`` (text: a number, a range, or that there is none up to what memory holds); ``memory`` (users
        that memory holds by diffusion, at most). All modelled.
    """
    import pandas as pd

    most = scenario.most_users("diffusion")
    rows = [
        {"way": way, "users": users_text(*scenario.crossover_range(way, shares), most), "memory": most}
        for way in ("autoregressive", "drafting")
    ]
    return pd.DataFrame(rows)


def users_text(one: int | None, other: int | None, most: int) -> str:
    """Two ends of a range of users; None is an end that lies beyond the most users that memory holds."""
    known = sorted(end for end in (one, other) if end is not None)
    if not known:
        return f"not up to {most}"
    if len(known) == 1:
        return f"{known[0]}, or not up to {most}"
    return f"{known[0]}" if known[0] == known[1] else f"{known[0]} to {known[1]}"
