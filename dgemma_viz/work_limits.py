"""Bounds on the work of one press of *Run*, where somebody serves these pages to others; none elsewhere.

``dgemma-viz serve`` puts them into the environment of its kernels; panels ask here before and while they run something.
"""

from __future__ import annotations

import os

from dgemma_viz.errors import WorkLimitError

SECONDS, STEPS, RUNS = "DGEMMA_VIZ_MOST_RUN_SECONDS", "DGEMMA_VIZ_MOST_STEPS", "DGEMMA_VIZ_MOST_RUNS"
ALL = (SECONDS, STEPS, RUNS)
"""Each is the variable of a field of ``ServeSettings``."""
_ELSEWHERE = "dgemma_viz on your own machine has no such limit"


def most(variable: str) -> float:
    """The limit of that name, infinity where there is none."""
    try:
        return float(os.environ.get(variable, "inf"))
    except ValueError:
        return float("inf")


def check_steps(steps: int) -> None:
    """Refuse more denoising steps a canvas than may be run here.

    Raises
    ------
    WorkLimitError
        Says the limit.
    """
    _check(steps, STEPS, "denoising steps a canvas")


def check_runs(runs: int) -> None:
    """Refuse more runs at one press than may be made here.

    Raises
    ------
    WorkLimitError
        Says the limit.
    """
    _check(runs, RUNS, "runs at a time")


def time_is_up() -> str:
    """What to say when a run was stopped because it took too long."""
    return (
        f"Stopped: this server allows {most(SECONDS):g} seconds a run. What was done until then is shown. "
        f"Choose fewer steps or a shorter prompt; {_ELSEWHERE}."
    )


def _check(asked: int, variable: str, what: str) -> None:
    if asked > (limit := most(variable)):
        raise WorkLimitError(f"{asked} {what} are more than this server allows: choose at most {limit:g}; {_ELSEWHERE}")
