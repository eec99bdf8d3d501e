"""What an intervention does to answers on the whole: the same prompts and seeds with and without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions import Intervention, hooks_of
from dgemma_viz.labs.references import is_right
from dgemma_viz.labs.samplers import run_sampler, sampler_named

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("condition", "seed", "prompt", "output", "right", "steps")


def intervention_effects(  # noqa: PLR0913 - what is crossed is the experiment
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    conditions: Mapping[str, Sequence[Intervention]],
    sampler: str = "entropy_bound",
    parameters: Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    references: Reference | Mapping[str, Reference] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Run all prompts under each condition, with the same random numbers.

    Parameters
    ----------
    model, tokenizer, sampler, parameters
        As for :func:`~dgemma_viz.labs.samplers.run_sampler`.
    prompts
        All run as one batch for each condition and seed, so interventions hold for all of them.
    conditions
        Label to interventions; none of them for the run as it is.
    seeds
        Of the runs.
    references
        Right answers; None for prompts of the bundled tasks. See :func:`~dgemma_viz.labs.many_runs.run_many`.
    progress
        Called with the runs done and all runs; may raise ``KeyboardInterrupt`` to end early with what there is.

    Returns
    -------
    pandas.DataFrame
        One row per condition, seed and prompt: ``condition``, ``seed``, ``prompt``, ``output``, ``right`` (None where
        there is no reference), ``steps`` (denoising steps of the prompt, all canvases).

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
    if isinstance(prompts, str):
        raise SettingError("prompts are a list, even of one")
    for what, values in (("prompts", prompts), ("conditions", conditions), ("seeds", seeds)):
        if not len(values):
            raise SettingError(f"there are no {what}: give at least one")
    sampler_named(sampler).checked(parameters)
    import pandas as pd

    hooks = {label: hooks_of(list(asked), model, tokenizer) if asked else None for label, asked in conditions.items()}
    jobs = [(label, seed) for label in hooks for seed in seeds]
    tell = progress or (lambda _done, _total: None)
    rows: list[tuple[Any, ...]] = []
    try:
        tell(0, len(jobs))
        for done, (label, seed) in enumerate(jobs, start=1):
            trace = run_sampler(model, tokenizer, prompts, sampler, parameters, seed=seed, top_k=1, around=hooks[label])
            for sample, prompt in enumerate(prompts):
                output = trace.output_text(sample)
                steps = int(trace.active[:, sample].sum())
                rows.append((label, seed, prompt, output, is_right(prompt, output, references), steps))
            tell(done, len(jobs))
    except KeyboardInterrupt:
        pass
    return pd.DataFrame(rows, columns=list(COLUMNS))
