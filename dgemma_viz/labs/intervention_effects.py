"""What an intervention does to answers on the whole: the same prompts and seeds with and without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.analysis.intervals import bootstrap_over_runs, ratio, wilson
from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.labs.grid import Progress, listed, run_grid, whole_run
from dgemma_viz.labs.interventions import Intervention, hooks_of
from dgemma_viz.labs.prompts import is_right
from dgemma_viz.labs.run import checked_seed, run
from dgemma_viz.labs.samplers import Sampler, sampler_named
from dgemma_viz.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("condition", "seed", "prompt", "output", "right", "steps")


def intervention_effects(  # noqa: PLR0913 - what is crossed is the experiment
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    conditions: Mapping[str, Sequence[Intervention]],
    sampler: str | Sampler = "entropy_bound",
    parameters: Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    reference: Reference | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run all prompts under each condition, with the same random numbers.

    Parameters
    ----------
    model, tokenizer, sampler, parameters
        As for :func:`~dgemma_viz.labs.run.run`.
    prompts
        All run as one batch for each condition and seed, so interventions hold for all of them.
    conditions
        Label to interventions; none of them for the run as it is.
    seeds
        Of the runs.
    reference
        Right answers; None for prompts of the bundled tasks. See :data:`~dgemma_viz.analysis.reference.Reference`.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`.

    Returns
    -------
    pandas.DataFrame
        One row per condition, seed and prompt: ``condition``, ``seed``, ``prompt``, ``output``, ``right`` (None where
        there is no reference), ``steps`` (denoising steps of the prompt, all canvases). After an interrupt, what was
        finished.

    Raises
    ------
    SettingError
        Nothing to run, an intervention that this model or sampler cannot do, or a parameter out of range.

    Examples
    --------
    >>> off = [DropSelfConditioning(canvas=None, step=0)]
    >>> table = intervention_effects(model, tokenizer, prompts, {"with self-conditioning": [], "without": off})
    >>> table.groupby("condition")[["right", "steps"]].mean()
    """
    texts, labels = listed("prompts", prompts), listed("conditions", list(conditions))
    every_seed = [checked_seed(seed) for seed in listed("seeds", seeds)]
    check_reference(reference)
    sampler_named(sampler).checked(parameters)
    import pandas as pd

    hooks = {label: hooks_of(list(asked), model, tokenizer) if asked else None for label, asked in conditions.items()}
    rows: list[tuple[Any, ...]] = []

    def run_cell(cell: tuple[str, int]) -> Trace:
        label, seed = cell
        return whole_run(run(model, tokenizer, texts, sampler, parameters, seed=seed, top_k=1, hooks=hooks[label]))

    def keep(cell: tuple[str, int], trace: Trace) -> None:
        for sample, prompt in enumerate(texts):
            output, steps = trace.output_text(sample), int(trace.active[:, sample].sum())
            rows.append((*cell, prompt, output, is_right(prompt, output, reference), steps))

    run_grid([(label, seed) for label in labels for seed in every_seed], run_cell, keep, progress=progress)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def effects_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Right answers and steps under each condition, with intervals.

    Parameters
    ----------
    table
        From :func:`intervention_effects`; rows that could not be judged are left out.

    Returns
    -------
    DataFrame
        One row per condition, in the order of the table: ``condition``, ``runs``, ``right`` (fraction) with its 95 %
        interval ``low`` and ``high`` (Wilson), ``steps`` (mean) with its interval ``steps_low`` and ``steps_high``
        (runs are drawn again; NaN for a single run).
    """
    import pandas as pd

    rows = []
    for condition, of in table[table["right"].notna()].groupby("condition", sort=False):
        right, steps = of["right"].astype(int), of["steps"].to_numpy(dtype=float)
        low, high = wilson([right.sum()], [len(of)])
        sums = np.stack([steps, np.ones_like(steps)], axis=1)
        fewest, most = bootstrap_over_runs(sums, lambda total: ratio(total[:, 0], total[:, 1]))
        shares = (right.mean(), float(low[0]), float(high[0]))
        rows.append((condition, len(of), *shares, steps.mean(), float(fewest), float(most)))
    return pd.DataFrame(rows, columns=["condition", "runs", "right", "low", "high", "steps", "steps_low", "steps_high"])
