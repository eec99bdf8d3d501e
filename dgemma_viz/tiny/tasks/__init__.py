"""The tasks that the bundled model knows. Needs numpy, not torch.

`TASKS["sudoku"].sample(rng)` gives an example; `sample_example(task, rng, held_out=True)` gives one that training
never saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.addition import Addition
from dgemma_viz.tiny.tasks.brackets import Brackets, BracketsOfAnyShape
from dgemma_viz.tiny.tasks.gifts import Gifts, GiftsInAnyOrder
from dgemma_viz.tiny.tasks.grid import Grid4, Grid6
from dgemma_viz.tiny.tasks.long import Long
from dgemma_viz.tiny.tasks.pairs import Pairs
from dgemma_viz.tiny.tasks.sort import Sort
from dgemma_viz.tiny.tasks.story import Story, StoryCues
from dgemma_viz.tiny.tasks.sudoku import Sudoku
from dgemma_viz.tiny.tasks.sums import Sums
from dgemma_viz.tiny.tasks.tale import Tale, TaleInAnyOrder
from dgemma_viz.tiny.tasks.task import Example, Task, different_examples, is_held_out, sample_example

_CLOSED = (Sudoku(), Addition(), Sort(), Story(), Long())
_OPEN = (Grid4(), Tale(), Gifts(), Brackets())
_NOT_LEARNED = (Grid6(), Sums())
_FREER = (TaleInAnyOrder(), GiftsInAnyOrder(), BracketsOfAnyShape())
_EXERCISES = (Pairs(), StoryCues())

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (*_CLOSED, *_OPEN)})
"""The tasks that the bundled weights know, by name."""

OPEN_TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _OPEN})
"""Those of them whose prompts have many right answers; the prompts of the others force the answer."""

TAUGHT_TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (*_CLOSED, *_OPEN, *_NOT_LEARNED, *_EXERCISES)}
    | {f"any {task.name}": task for task in _FREER}
)
"""What the training run taught: `TASKS`; open tasks that these weights did not learn to answer rightly; exercises that
teach what a task takes and are not asked afterwards; and, as ``any tale`` and so on, the freer forms in which the first
round taught three of the open tasks."""

_FIRST_WORDS = {"add": "addition", "list": "long"}


def task_of(prompt: str) -> Task:
    """Return the task that a prompt belongs to, by its first word; raise `PromptError` if there is none."""
    first_word = prompt.split(" ", maxsplit=1)[0]
    name = _FIRST_WORDS.get(first_word, first_word)
    if name not in TASKS or first_word in _FIRST_WORDS.values():
        words = [next((word for word, named in _FIRST_WORDS.items() if named == task), task) for task in TASKS]
        raise PromptError(f"The prompt starts with {first_word!r}; it must start with one of: {', '.join(words)}.")
    return TASKS[name]


__all__ = [
    "OPEN_TASKS",
    "TASKS",
    "TAUGHT_TASKS",
    "Example",
    "Task",
    "different_examples",
    "is_held_out",
    "sample_example",
    "task_of",
]
