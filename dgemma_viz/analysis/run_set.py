"""Many runs side by side. Tables name runs by their index in the set: ``runs[index].trace`` is what to open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.analysis.run import Run
from dgemma_viz.errors import SettingError
from dgemma_viz.trace.as_trace import as_trace
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Problem:
    """What went wrong with one run of many: its prompt and seed, and the error's text."""

    prompt: str
    seed: int
    what: str


@dataclass(frozen=True, eq=False)
class RunSet(Sequence[Run]):
    """Runs in order, and what went wrong while they were made. A slice of it is another one."""

    runs: tuple[Run, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, sources: Iterable[Trace | str | os.PathLike[str]], reference: Reference | None = None) -> RunSet:
        """Judge traces or trace files, one run for each sample of each.

        Raises
        ------
        SettingError, TraceFileError
            The reference cannot be used (see :func:`~dgemma_viz.analysis.reference.judge`); no readable trace.
        """
        runs: list[Run] = []
        for source in sources:
            trace, path = as_trace(source, "a set of runs"), source if isinstance(source, str | os.PathLike) else None
            runs += [Run.of(trace, reference, sample, path) for sample in range(trace.n_samples)]
        return cls(tuple(runs))

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> RunSet: ...
    def __getitem__(self, index: int | slice) -> Run | RunSet:
        return RunSet(self.runs[index]) if isinstance(index, slice) else self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def where(self, *, prompt: str | None = None, task: str | None = None, seed: int | None = None) -> RunSet:
        """The runs of one prompt, task or seed; None stands for all."""
        wanted = {
            name: value for name, value in (("prompt", prompt), ("task", task), ("seed", seed)) if value is not None
        }
        return RunSet(
            tuple(run for run in self.runs if all(getattr(run, name) == value for name, value in wanted.items()))
        )

    def table(self) -> pd.DataFrame:
        """One row per run: ``run`` (index), ``prompt``, ``task``, ``seed``, ``output``, ``reference``, ``right``."""
        import pandas as pd

        columns = {
            "run": pd.array(range(len(self)), dtype="int64"),
            "prompt": [run.prompt for run in self],
            "task": [run.task for run in self],
            "seed": pd.array([run.seed for run in self], dtype="Int64"),
            "output": [run.output for run in self],
            "reference": [run.judgement.reference if run.judgement else None for run in self],
            "right": pd.array([run.right for run in self], dtype="boolean"),
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        right = sum(run.right is True for run in self)
        judged = sum(run.right is not None for run in self)
        trouble = f", {counted(len(self.problems), 'problem')}" if self.problems else ""
        return (
            f"<RunSet of {counted(len(self), 'run')} over {counted(len(prompts(self)), 'prompt')}: {right} "
            f"of {judged} right{trouble}>"
        )


def prompts(runs: Iterable[Run]) -> tuple[str, ...]:
    """The distinct prompts of some runs, in order of appearance."""
    return tuple(dict.fromkeys(run.prompt for run in runs))


def of_one_prompt(runs: Sequence[Run]) -> Sequence[Run]:
    """The runs, checked to answer one and the same prompt.

    Raises
    ------
    SettingError
        They answer several.
    """
    found = prompts(runs)
    if len(found) > 1:
        raise SettingError(
            f"these runs answer {len(found)} prompts, and only answers to the same one can be compared: choose one "
            "with runs.where(prompt=...)"
        )
    return runs
