"""Where cells run: in this process one by one, or on an executor that the user brings.

Both hand each finished cell to ``keep`` as soon as it is there, in this process, and then call ``tell``. The first sign
of trouble with an executor (a worker that died, a cluster that closed, something that cannot be pickled) ends the
sweep: what has not begun is called back, and what has finished by then is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from typing import TYPE_CHECKING, Final

from dgemma_viz.labs.sweep.cell import Cell
from dgemma_viz.labs.sweep.model_source import ModelSource
from dgemma_viz.labs.sweep.running import Outcomes, run_cell

if TYPE_CHECKING:
    Keep = Callable[[Cell, Outcomes], None]
    Tell = Callable[[], None]

_LOOK_EVERY: Final = 1.0
"""Seconds."""


def run_here(source: ModelSource, cells: Iterable[Cell], max_new_tokens: int | None, keep: Keep, tell: Tell) -> None:
    """Run cells in order."""
    for cell in cells:
        keep(cell, run_cell(source, cell, max_new_tokens))
        tell()


def run_on(
    executor: Executor,
    source: ModelSource,
    cells: Iterable[Cell],
    max_new_tokens: int | None,
    keep: Keep,
    tell: Tell,
) -> None:
    """Run cells on an executor and take them as they come."""
    waiting: dict[Future[Outcomes], Cell] = {}
    try:
        for cell in cells:
            waiting[executor.submit(run_cell, source, cell, max_new_tokens)] = cell
        while waiting:
            # Futures that a closing pool cancels wake nobody who waits for them; so it is looked for now and then.
            wait(waiting, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
            for future in [future for future in waiting if future.done()]:
                keep(waiting.pop(future), future.result())
                tell()
    finally:
        for future in waiting:
            future.cancel()
        for future, cell in waiting.items():
            if future.done() and not _troubled(future):
                keep(cell, future.result())


def _troubled(future: Future[Outcomes]) -> bool:
    try:
        return future.exception() is not None
    except CancelledError:
        return True
