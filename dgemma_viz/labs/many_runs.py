"""Many recorded runs: every prompt with every seed, judged, and nothing lost when one of them goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import Problem, RunSet
from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs.grid import Progress, run_grid
from dgemma_viz.labs.prompts import answer_of
from dgemma_viz.labs.run import checked_seed, run
from dgemma_viz.labs.samplers import Sampler, sampler_named
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace


def run_many(  # noqa: PLR0913 - everything but what to run is optional
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    sampler: str | Sampler = "entropy_bound",
    parameters: Mapping[str, Any] | None = None,
    *,
    reference: Reference | None = None,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> RunSet:
    """Record and judge ``len(prompts) * len(seeds)`` runs, prompt by prompt; traces are kept in memory.

    Each run is the one that :func:`~dgemma_viz.labs.run.run` makes with that prompt and seed.

    Parameters
    ----------
    model, tokenizer, sampler, parameters, max_new_tokens
        As for ``run``.
    prompts, seeds
        What to run.
    reference
        See :data:`~dgemma_viz.analysis.reference.Reference`. Prompts without one are judged by the bundled task that
        they belong to, if any.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`.

    Returns
    -------
    RunSet
        What was recorded. Ctrl-C ends it early; the interrupted run is kept with the steps that it made. After a run
        that failed, the next one follows: it stands in ``problems``, and is kept as well if it made a step. So is a run
        whose reference failed, unjudged.

    Raises
    ------
    SettingError
        A seed or parameter is out of range.
    Exception
        That of the first run, if no run made a step.
    """
    check_reference(reference)
    sampler_named(sampler).checked(parameters)
    cells = [(prompt, checked_seed(seed)) for prompt in prompts for seed in seeds]
    runs: list[Run] = []
    problems: list[Problem] = []
    errors: list[Exception] = []

    def keep(cell: tuple[str, int], trace: Trace) -> None:
        try:
            runs.append(Run.of(trace, answer_of(cell[0], reference)))
        except SettingError as error:
            runs.append(Run.unjudged(trace))
            problems.append(Problem(*cell, f"not judged: {error}"))
        if trace.facts.status == "interrupted":
            raise KeyboardInterrupt

    def failed(cell: tuple[str, int], error: Exception) -> None:
        if isinstance(error, RunFailedError):
            problems.append(Problem(*cell, str(error)))
            keep(cell, error.trace)
            return
        errors.append(error)
        problems.append(Problem(*cell, f"not recorded: {text_of(error)}"))

    run_grid(
        cells,
        lambda cell: run(model, tokenizer, cell[0], sampler, parameters, seed=cell[1], max_new_tokens=max_new_tokens),
        keep,
        failed=failed,
        progress=progress,
    )
    if not runs and errors:
        raise errors[0]
    return RunSet(tuple(runs), tuple(problems))
