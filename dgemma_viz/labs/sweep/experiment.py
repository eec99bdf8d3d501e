"""``sweep(model, tokenizer, prompts, grid, seeds)``: how right and how fast, over a grid of samplers and parameters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.errors import SettingError, SweepInterruptedError
from dgemma_viz.labs.grid import Progress, run_grid, shown_progress
from dgemma_viz.labs.models import Live, Load, ModelSource, source_of
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.samplers import sampler_named
from dgemma_viz.labs.sweep.outcome import Outcomes, run_cell
from dgemma_viz.labs.sweep.plan import Cell, Grid, Plan, checked_prompts, checked_seeds, settings_of
from dgemma_viz.labs.sweep.result import Sweep
from dgemma_viz.labs.sweep.store import Store
from dgemma_viz.range_check import checked_range

_MOST = 2**31 - 1
_PACKAGES = ("dgemma-viz", "torch", "transformers", "diffusers")
"""Whose versions can change a run."""


def sweep(  # noqa: PLR0913 - everything but what to run is optional, and named
    model: Any | str | os.PathLike[str] | Load,
    tokenizer: Any | None,
    prompts: Sequence[str],
    grid: Grid,
    seeds: Sequence[int] = (0,),
    reference: Reference | None = None,
    *,
    path: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    batch_size: int = 1,
    progress: Progress | None = None,
    max_new_tokens: int | None = None,
) -> Sweep:
    """Run every prompt with every seed and every setting of a grid; judge the answers and count decoder passes.

    Parameters
    ----------
    model, tokenizer
        A model and its tokenizer. Or, with None for the tokenizer, what loads them where they are needed: ``"tiny"``,
        a folder, a hub id, or a function of a module that takes nothing and returns both. Executors other than a thread
        pool need the latter, and load once per worker process.
    prompts, seeds
        What is crossed with the grid. What is there twice runs once.
    grid
        Parameter to values, ``{"sampler": ["entropy_bound", "block_refinement"], "max_denoising_steps": [4, 8]}``;
        parameters that a sampler does not have do not multiply its settings. Or a list of settings. Samplers and
        parameters are those of :data:`~dgemma_viz.labs.samplers.SAMPLERS`; what is not chosen is ruled by the model's
        generation config and the library's defaults.
    reference
        The right answer as text, a function of prompt and completion that returns it or says whether the completion is
        right, or a mapping from prompt to one of these. Prompts without one are judged by the bundled task that they
        are of, if any. It is called in this process, when :attr:`Sweep.table` is read, so it may be any function.
    path
        File to which every finished run is written at once. The same call with the same path goes on where it stopped;
        settings and seeds may be added. The model is known by its name, not by its weights.
    executor
        Where to run, such as Dask's ``client.get_executor()`` or
        ``ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))`` (a forked process may hang in
        torch); it stays open. None is this process. Worker processes use one torch thread each, unless the function
        that loads the model sets another number. Threads of one process take turns, since torch's random numbers are
        those of the process.
    batch_size
        Most prompts that run together, padded on the left. A batch draws from one random stream, so a prompt gives
        another run in another batch; with 1, the default, every run is exactly
        :func:`~dgemma_viz.labs.run.run`'s with that prompt and seed. Other values are faster where there
        are many cores or a GPU.
    progress
        Called with the runs done and all runs, before the first cell and after each. It may raise
        ``KeyboardInterrupt``. None shows a bar in a notebook or on a terminal.
    max_new_tokens
        Rounded up to whole canvases by the loops.

    Returns
    -------
    Sweep
        The same rows on every engine, apart from the seconds (and as far as torch computes the same with another number
        of threads). A run that failed is there with its error. After Ctrl-C, what is finished; the rest is
        :attr:`Sweep.missing`.

    Raises
    ------
    SettingError, PromptError, MissingDependencyError
        Before anything runs: there is nothing in the grid, no prompt or no seed; a sampler or parameter is unknown or a
        value out of range; a sampler's library is not installed, or it samples another kind of model; the file at
        ``path`` belongs to another sweep.
    SweepInterruptedError
        The executor died, or a worker could not load the model, or the file could not be written. Its ``sweep`` holds
        what is finished.
    """
    size = checked_range("batch_size", batch_size, 1, _MOST, whole=True)
    plan = Plan(settings_of(grid), checked_seeds(seeds), checked_prompts(prompts), size)
    if max_new_tokens is not None:
        max_new_tokens = checked_range("max_new_tokens", max_new_tokens, 1, _MOST, whole=True)
    check_reference(reference)
    source = source_of(model, tokenizer)
    for name in dict.fromkeys(setting.sampler for setting in plan.settings):
        sampler_named(name).need_library()
        if isinstance(source, Live):
            sampler_named(name).need_model(source.model)
    _check_engine(executor, source)
    if executor is None or isinstance(source, Live):
        encode(source.load()[1], plan.prompts)  # raises PromptError
    cells = {cell.key: cell for cell in plan.cells()}
    with nullcontext() if path is None else Store.open(path, _identity(source, plan, max_new_tokens), cells) as store:
        found = Sweep(plan, dict(store.finished) if store else {}, source, reference, max_new_tokens)

        def keep(cell: Cell, outcomes: Outcomes) -> None:
            found.outcomes[cell.key] = outcomes
            if store is not None and not any(outcome.error for outcome in outcomes):
                store.keep(cell, outcomes)

        try:
            with shown_progress(progress, len(plan), "sweep") as told:
                run_grid(
                    [cell for cell in plan.cells() if cell.key not in found.outcomes],
                    partial(run_cell, source, max_new_tokens),
                    keep,
                    progress=told,
                    runs_in=lambda cell: len(cell.prompts),
                    done=len(plan) - found.missing,
                    executor=executor,
                )
        except Exception as error:
            raise SweepInterruptedError(_what_now(found, path, error), found) from error
    return found


def _check_engine(executor: Any, source: ModelSource) -> None:
    if executor is None:
        return
    if not isinstance(executor, Executor):
        hint = ": give client.get_executor()" if hasattr(executor, "get_executor") else ""
        raise SettingError(f"an executor is a concurrent.futures.Executor, not a {type(executor).__name__}{hint}")
    if isinstance(source, Live) and not isinstance(executor, ThreadPoolExecutor):
        raise SettingError(
            f"a model that is loaded already is not sent to the workers of a {type(executor).__name__}: give its name "
            "('tiny', a folder, a hub id) or a function that returns model and tokenizer, and None for the tokenizer"
        )


def _identity(source: ModelSource, plan: Plan, max_new_tokens: int | None) -> dict[str, Any]:
    """What must be the same for runs to belong together."""
    return {
        "model": source.name,
        "batch_size": plan.batch_size,
        "max_new_tokens": max_new_tokens,
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "prompts": list(plan.prompts),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _what_now(found: Sweep, path: str | os.PathLike[str] | None, error: Exception) -> str:
    total = len(found.plan)
    rest = "give a path to be able to go on" if path is None else f"the same call with the path '{path}' goes on"
    return (
        f"the sweep broke off after {total - found.missing} of {counted(total, 'run')} with {type(error).__name__}: "
        f"{error}. What is finished is in this error's 'sweep'; {rest}"
    )
