"""Choose a task and one of its prompts, or write one: shared by every panel that runs the model."""

from __future__ import annotations

import ipywidgets as ipw
import numpy as np

from dgemma_viz.errors import PromptError, SettingError
from dgemma_viz.tiny.tasks import TASKS, sample_example
from dgemma_viz.widgets.fault_choice import explanation

LONGEST_PROMPT = 2000
"""Characters. A visitor's prompt is bounded."""


class PromptChooser(ipw.VBox):  # type: ignore[misc]
    """A dropdown of tasks, the chosen task in words, and a text field that holds the prompt.

    Parameters
    ----------
    task, example
        Task selected at first, a key of ``dgemma_viz.tiny.tasks.TASKS``, and which of its example prompts.

    Attributes
    ----------
    task
        Dropdown; its value is the task's name. Another task brings its first example.
    prompt
        Text field. What is written in it need not belong to the task.
    another
        Button that draws an example; to be placed by the panel.

    Raises
    ------
    SettingError
        There is no such task.
    """

    def __init__(self, task: str = "sudoku", example: int = 0) -> None:
        if task not in TASKS:
            raise SettingError(f"there is no task {task!r}; choose one of {', '.join(TASKS)}")
        wide = ipw.Layout(width="calc(100% - 4px)")  # ipywidgets puts 2 px around everything
        self.task = ipw.Dropdown(
            options=[(entry.title, name) for name, entry in TASKS.items()], value=task, description="Task", layout=wide
        )
        # Sent when the field is left: a press of Run overtakes a letter that waits until the one before has arrived.
        self.prompt = ipw.Textarea(description="Prompt", rows=2, continuous_update=False, layout=wide)
        self.another = ipw.Button(description="Another example", tooltip="A prompt that the model was not trained on")
        self._about = ipw.HTML()
        self._drawn = 0
        self.another.on_click(lambda _: self._draw())
        self.task.observe(lambda _: self._choose(), "value")
        super().__init__([self.task, self._about, self.prompt])
        self._choose(example)

    def checked(self) -> str:
        """The prompt.

        Raises
        ------
        PromptError
            It is too long. Whether the tokenizer knows all of it is for the run to say.
        """
        text: str = self.prompt.value
        if len(text) > LONGEST_PROMPT:
            raise PromptError(f"The prompt has {len(text):,} characters; the most is {LONGEST_PROMPT:,}.")
        return text

    def _choose(self, example: int = 0) -> None:
        task = TASKS[self.task.value]
        self._about.value = explanation(task.description)
        self.prompt.value = task.example_prompts[example]

    def _draw(self) -> None:
        self._drawn += 1
        random = np.random.default_rng(self._drawn)
        self.prompt.value = sample_example(TASKS[self.task.value], random, held_out=True).prompt
