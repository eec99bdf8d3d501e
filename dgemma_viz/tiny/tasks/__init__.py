"""The five tasks that the bundled model knows. Needs numpy, not torch.

`TASKS["sudoku"].sample(rng)` gives an example; `sample_example(task, rng, held_out=True)` gives one that training
never saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.addition import Addition
from dgemma_viz.tiny.tasks.long import Long
from dgemma_viz.tiny.tasks.sort import Sort
from dgemma_viz.tiny.tasks.story import Story
from dgemma_viz.tiny.tasks.sudoku import Sudoku
from dgemma_viz.tiny.tasks.task import Example, Task, is_held_out, sample_example

TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (Sudoku(), Addition(), Sort(), Story(), Long())}
)


def task_of(prompt: str) -> Task:
    """Return the task that a prompt belongs to, by its first word; raise `PromptError` if there is none."""
    first_words = {"sudoku": "sudoku", "add": "addition", "sort": "sort", "story": "story", "list": "long"}
    first_word = prompt.split(" ", maxsplit=1)[0]
    if first_word not in first_words:
        raise PromptError(
            f"The prompt starts with {first_word!r}; it must start with one of: {', '.join(first_words)}."
        )
    return TASKS[first_words[first_word]]


__all__ = ["TASKS", "Example", "Task", "is_held_out", "sample_example", "task_of"]
