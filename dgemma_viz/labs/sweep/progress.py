"""How far a sweep is: told to the caller's function, or shown as a bar where somebody can see one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Progress = Callable[[int, int], None]
    """Takes the runs that are done, and all runs."""


@contextmanager
def shown_progress(progress: Progress | None, total: int) -> Iterator[Progress]:
    """The caller's function; else tqdm's bar, in a notebook or on a terminal."""
    if progress is not None:
        yield progress
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # transformers brings it along

    with tqdm(total=total, desc="sweep", unit="run", disable=None) as bar:
        yield lambda done, _total: bar.update(done - bar.n) and None
