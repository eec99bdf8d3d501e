"""Many recorded runs: every prompt with every seed, judged, and nothing lost when one of them goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dgemma_viz.analysis.reference import Reference
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import Problem, RunSet
from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs.references import reference_of
from dgemma_viz.labs.single_run import RunSettings, record_run
from dgemma_viz.redaction import text_of


def run_many(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    settings: RunSettings | None = None,
    references: Reference | Mapping[str, Reference] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RunSet:
    """Record and judge ``len(prompts) * len(seeds)`` runs, prompt by prompt; traces are kept in memory.

    Each run is the one that :func:`~dgemma_viz.labs.single_run.record_run` makes with that prompt and seed.

    Parameters
    ----------
    model, tokenizer
        As for ``record_run``.
    prompts, seeds
        What to run.
    settings
        For all runs; its ``seed`` is not used.
    references
        One for all prompts, or a mapping from prompt to reference. Prompts without one are judged by the bundled task
        that they belong to, if any.
    progress
        Called with the number of runs done and of all runs, before the first and after each. It may raise
        ``KeyboardInterrupt`` to stop.

    Returns
    -------
    RunSet
        What was recorded. Ctrl-C ends it early; the interrupted run is kept with the steps that it made. After a run
        that failed, the next one follows: it stands in ``problems``, and is kept as well if it made a step. So is a run
        whose reference failed, unjudged.

    Raises
    ------
    SettingError
        A seed is out of range.
    Exception
        That of the first run, if no run made a step.
    """
    base = settings or RunSettings()
    jobs = [(prompt, replace(base, seed=seed)) for prompt in prompts for seed in seeds]
    tell = progress or (lambda _done, _total: None)
    runs: list[Run] = []
    problems: list[Problem] = []
    first: Exception | None = None
    try:
        tell(0, len(jobs))
        for done, (prompt, wanted) in enumerate(jobs, start=1):
            try:
                trace = record_run(model, tokenizer, prompt, wanted)
            except RunFailedError as error:
                trace = error.trace
                problems.append(Problem(prompt, wanted.seed, str(error)))
            except Exception as error:  # noqa: BLE001 - one bad run must not cost the others
                first = first or error
                problems.append(Problem(prompt, wanted.seed, f"not recorded: {text_of(error)}"))
                tell(done, len(jobs))
                continue
            try:
                runs.append(Run.of(trace, reference_of(prompt, references)))
            except SettingError as error:
                runs.append(Run.unjudged(trace))
                problems.append(Problem(prompt, wanted.seed, f"not judged: {error}"))
            if trace.facts.status == "interrupted":
                break
            tell(done, len(jobs))
    except KeyboardInterrupt:
        pass
    if not runs and first is not None:
        raise first
    return RunSet(tuple(runs), tuple(problems))
