"""Lists written out in sentences: answers of 49 to 98 tokens, so two or three canvases of 48."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task
from dgemma_viz.tiny.vocabulary import COLOURS, LABELS, NAMES, THINGS

_FEWEST = 7
_ITEM = re.compile(rf" (\([a-z]\)) ({'|'.join(COLOURS)}) ({'|'.join(THINGS)})")
_PROMPT = re.compile(rf"list ({'|'.join(NAMES)}):((?:{_ITEM.pattern})+)")


def _write_out(name: str, items: list[tuple[str, str, str]]) -> str:
    return "".join(f" {label} {name} has a {colour} {thing}." for label, colour, thing in items)


class Long(Task):
    """Write each item of a lettered list out as a sentence."""

    name: ClassVar[str] = "long"
    title: ClassVar[str] = "A list written out (several canvases)"
    description: ClassVar[str] = (
        "Write each item of a lettered list as a sentence; the answer fills two or three canvases."
    )
    example_prompts: ClassVar[tuple[str, ...]] = (
        "list Sam: (a) blue doll (b) white kite (c) blue drum (d) red hat (e) pink kite (f) black lamp (g) blue cup",
        (
            "list Ann: (a) pink book (b) red cup (c) grey cup (d) gold drum (e) pink ball (f) green ball (g) red kite "
            "(h) gold lamp (i) white hat (j) grey drum (k) pink drum"
        ),
    )

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw a name and 7 to 14 items; a thing or a colour may come again."""
        name = NAMES[rng.integers(len(NAMES))]
        count = int(rng.integers(_FEWEST, len(LABELS) + 1))
        colours, things = rng.integers(len(COLOURS), size=count), rng.integers(len(THINGS), size=count)
        items = [(LABELS[i], COLOURS[colours[i]], THINGS[things[i]]) for i in range(count)]
        return Example(f"list {name}:" + "".join(f" {' '.join(item)}" for item in items), _write_out(name, items))

    def validate_prompt(self, prompt: str) -> None:
        """Want a name and 7 to 14 items, lettered in order from (a)."""
        match = _PROMPT.fullmatch(prompt)
        if match is None:
            raise PromptError(
                f"Not a list prompt: {prompt!r}. Write a name and {_FEWEST} to {len(LABELS)} items, such as "
                f"{self.example_prompts[0]!r}."
            )
        labels = tuple(item[0] for item in _ITEM.findall(match[2]))
        if not _FEWEST <= len(labels) <= len(LABELS) or labels != LABELS[: len(labels)]:
            raise PromptError(
                f"The list has the letters {' '.join(labels)}; write {_FEWEST} to {len(LABELS)} items, "
                "lettered in order from (a)."
            )

    def solve(self, prompt: str, completion: str = "") -> str:
        """The sentences of all items, in order."""
        del completion
        name, items = prompt.removeprefix("list ").split(":", maxsplit=1)
        return _write_out(name, _ITEM.findall(items))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept the sentences of all items, in order."""
        return bool(_PROMPT.fullmatch(prompt)) and completion.strip(" ") == self.solve(prompt).strip(" ")
