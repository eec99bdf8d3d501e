"""Run the cells of an experiment: one after the other here, or on any executor; what is finished is kept at once.

An experiment says what its cells are, how one is run and what is kept of it. ``KeyboardInterrupt``, from Ctrl-C or
from ``progress``, ends it early with what there is. The first sign of trouble with an executor (a worker that died, a
cluster that closed, something that cannot be pickled) ends it with that error: what has not begun is called back, and
what has finished by then is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from dgemma_viz.errors import SettingError
from dgemma_viz.trace import Trace

Progress = Callable[[int, int], object]
"""Takes the runs that are done, and all runs; may raise ``KeyboardInterrupt`` to end early."""

Cell = TypeVar("Cell")
Found = TypeVar("Found")

_LOOK_EVERY: Final = 1.0
"""Seconds."""


def run_grid(  # noqa: PLR0913 - everything but what to run is optional, and named
    cells: Sequence[Cell],
    run: Callable[[Cell], Found],
    keep: Callable[[Cell, Found], None],
    *,
    failed: Callable[[Cell, Exception], None] | None = None,
    progress: Progress | None = None,
    runs_in: Callable[[Cell], int] = lambda _cell: 1,
    done: int = 0,
    executor: Executor | None = None,
) -> bool:
    """Run all cells; whether all have run.

    Parameters
    ----------
    cells, run
        In order. For an executor of other processes, both must be picklable.
    keep
        Called here with every finished cell and what ``run`` gave, as soon as it is there.
    failed
        Called in place of ``keep`` where ``run`` failed; without it, the error ends the grid.
    progress
        Called before the first cell and after each.
    runs_in
        How many runs a cell counts for.
    done
        Runs that were made earlier.
    executor
        Stays open; None runs in this process.
    """
    total = done + sum(map(runs_in, cells))

    def take(cell: Cell, found: Callable[[], Found]) -> None:
        nonlocal done
        try:
            outcome = found()
        except Exception as error:
            if failed is None:
                raise
            failed(cell, error)
        else:
            keep(cell, outcome)
        done += runs_in(cell)
        tell(done, total)

    tell = progress or (lambda _done, _total: None)
    try:
        tell(done, total)
        if executor is not None:
            _run_on(executor, cells, run, keep, take)
        else:
            for cell in cells:
                take(cell, lambda cell=cell: run(cell))  # type: ignore[misc]
    except KeyboardInterrupt:
        return False
    return True


def _run_on(
    executor: Executor,
    cells: Iterable[Cell],
    run: Callable[[Cell], Found],
    keep: Callable[[Cell, Found], None],
    take: Callable[[Cell, Callable[[], Found]], None],
) -> None:
    waiting: dict[Future[Found], Cell] = {}
    try:
        for cell in cells:
            waiting[executor.submit(run, cell)] = cell
        while waiting:
            # Futures that a closing pool cancels wake nobody who waits for them; so it is looked for now and then.
            wait(waiting, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
            for future in [future for future in waiting if future.done()]:
                take(waiting.pop(future), future.result)
    finally:
        for future in waiting:
            future.cancel()
        for future, cell in waiting.items():
            if future.done() and not _troubled(future):
                keep(cell, future.result())


def _troubled(future: Future[Any]) -> bool:
    try:
        return future.exception() is not None
    except CancelledError:
        return True


@contextmanager
def shown_progress(progress: Progress | None, total: int, name: str) -> Iterator[Progress]:
    """The caller's function; else tqdm's bar, in a notebook or on a terminal."""
    if progress is not None:
        yield progress
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # transformers brings it along

    with tqdm(total=total, desc=name, unit="run", disable=None) as bar:
        yield lambda done, _total: bar.update(done - bar.n)


def whole_run(trace: Trace) -> Trace:
    """The trace; ``KeyboardInterrupt`` if the run was interrupted, so that no experiment counts a part of a run."""
    if trace.facts.status == "interrupted":
        raise KeyboardInterrupt
    return trace


def listed(what: str, values: Any) -> list[Any]:
    """What is to be crossed, as a list; SettingError if it is none, or empty.

    Text is not a list of letters, and a set has no order of its own.
    """
    if isinstance(values, str | bytes | dict | set | frozenset) or not isinstance(values, Iterable):
        raise SettingError(f"{what} must be a list, even of one, not {values!r}")
    found = list(values)
    if not found:
        raise SettingError(f"there are no {what}: give at least one")
    return found
