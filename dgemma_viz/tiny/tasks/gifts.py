"""Gifts to hand out: a list of people in which no name, colour or thing may come twice."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task
from dgemma_viz.tiny.vocabulary import COLOURS, NAMES, THINGS

_FEWEST, _MOST, _MOST_WISHES = 5, len(NAMES), 3
_KINDS = (NAMES, COLOURS, THINGS)
_WISH = re.compile(rf" ({'|'.join(NAMES)}) ({'|'.join(COLOURS)}|{'|'.join(THINGS)})\.")
_PROMPT = re.compile(rf"gifts (\d):((?:{_WISH.pattern})*)")
_ROW = re.compile(rf" ({'|'.join(NAMES)}) ({'|'.join(COLOURS)}) ({'|'.join(THINGS)})\.")
_PIECE = re.compile(r"[^ .]+|\.")


_Row = tuple[str, str, str]


def _draw_rows(rng: np.random.Generator) -> list[_Row]:
    count = int(rng.integers(_FEWEST, _MOST + 1))
    columns = [rng.choice(kind, count, replace=False) for kind in _KINDS]
    return list(zip(*columns, strict=True))


def _ask_for(rows: list[_Row], wishes: list[_Row], rng: np.random.Generator) -> str:
    """A prompt for a list as long as `rows`, in which each wish names a person and a colour or a thing."""
    return f"gifts {len(rows)}:" + "".join(f" {row[0]} {row[1 + rng.integers(2)]}." for row in wishes)


def _write(rows: list[_Row]) -> str:
    return "".join(f" {' '.join(row)}." for row in rows)


def _words_by_row(completion: str, count: int) -> list[list[str]]:
    """Words between the full stops; by their places where stops are missing, as among the accepted tokens of a step."""
    if completion.count(".") >= count:
        return [sentence.split(" ") for sentence in completion.split(".")]
    pieces = _PIECE.findall(completion)
    return [["", *pieces[first : first + 3]] for first in range(0, len(pieces), 4)]


class Gifts(Task):
    """Give each of several people a thing of some colour, everything different, and keep the wishes."""

    name: ClassVar[str] = "gifts"
    title: ClassVar[str] = "Gifts, all different"
    description: ClassVar[str] = "List five to eight people with a colour and a thing each; nothing may come twice."
    row: ClassVar[int] = 4
    example_prompts: ClassVar[tuple[str, ...]] = ("gifts 8:", "gifts 6: Tom kite.", "gifts 7: Eva blue. Sam drum.")

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw the rows, and up to three wishes, which are granted first."""
        rows = _draw_rows(rng)
        wishes = rows[: rng.integers(_MOST_WISHES + 1)]
        return Example(_ask_for(rows, wishes, rng), _write(rows))

    @staticmethod
    def _parse(prompt: str) -> tuple[int, list[tuple[str, str]]] | None:
        match = _PROMPT.fullmatch(prompt)
        return None if match is None else (int(match[1]), _WISH.findall(match[2]))

    def validate_prompt(self, prompt: str) -> None:
        """Want a number of people and wishes that can all be kept."""
        parsed = self._parse(prompt)
        if parsed is None or not _FEWEST <= parsed[0] <= _MOST:
            raise PromptError(
                f"Not a prompt for gifts: {prompt!r}. Write 'gifts', a number from {_FEWEST} to {_MOST}, ':', and "
                f"perhaps wishes, such as {self.example_prompts[2]!r}."
            )
        for column in zip(*parsed[1], strict=True):
            if len(set(column)) < len(column):
                raise PromptError(f"The wishes of {prompt!r} name something twice. Name each person and thing once.")
        if len(parsed[1]) > _MOST_WISHES:
            raise PromptError(f"The prompt has {len(parsed[1])} wishes; the model knows {_MOST_WISHES} at most.")

    def solve(self, prompt: str, completion: str = "") -> str:
        """Keep each word of the completion that may stand where it is, and put words not used yet for the others."""
        parsed = self._parse(prompt)
        if parsed is None or self.check(prompt, completion):
            return completion
        count, wishes = parsed
        words = _words_by_row(completion, count)
        rows: list[list[str]] = [["", "", ""] for _ in range(count)]
        wished = dict(wishes)
        for index, row in enumerate(rows):
            near = [*(words[index] if index < len(words) else []), "", "", "", ""]
            for column, kind in enumerate(_KINDS):
                word = near[column + 1]
                free = word in kind and all(other[column] != word for other in rows)
                row[column] = word if free and (column == 0 or word not in wished.values()) else ""
        for name in wished:
            if all(row[0] != name for row in rows):
                next(row for row in reversed(rows) if row[0] not in wished)[0] = name
        for row in rows:
            if row[0] in wished:
                row[1 if wished[row[0]] in COLOURS else 2] = wished[row[0]]
        for column, kind in enumerate(_KINDS):
            left = [word for word in kind if all(row[column] != word for row in rows) and word not in wished.values()]
            for row in rows:
                row[column] = row[column] or left.pop(0)
        return "".join(f" {' '.join(row)}." for row in rows)

    def check(self, prompt: str, completion: str) -> bool:
        """Accept the right number of rows in which nothing comes twice and every wish is kept."""
        parsed = self._parse(prompt)
        rows = _ROW.findall(completion)
        if parsed is None or "".join(f" {' '.join(row)}." for row in rows) != completion or len(rows) != parsed[0]:
            return False
        different = all(len(set(column)) == len(column) for column in zip(*rows, strict=True))
        gifts = {row[0]: row[1:] for row in rows}
        return different and all(wish in gifts.get(name, ()) for name, wish in parsed[1])


class GiftsInAnyOrder(Gifts):
    """The same, with wishes that are granted anywhere in the list: taught in the first round, and not learned."""

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw the rows, and up to three wishes that they keep."""
        rows = _draw_rows(rng)
        wishes = [rows[i] for i in rng.choice(len(rows), int(rng.integers(_MOST_WISHES + 1)), replace=False)]
        return Example(_ask_for(rows, wishes, rng), _write(rows))
