"""Sudoku on a 4 x 4 grid: rows, columns and 2 x 2 boxes each hold 1, 2, 3 and 4."""

from __future__ import annotations

import re
from functools import cache
from itertools import permutations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_PROMPT = re.compile(r"sudoku ([1-4_]{4}(?:/[1-4_]{4}){3})=")
_SIZE = 4
_FEWEST_BLANKS, _MOST_BLANKS = 4, 10


@cache
def all_grids() -> NDArray[np.int8]:
    """All 288 solved grids, shape (288, 16), row by row."""
    rows = [np.array(row) for row in permutations((1, 2, 3, 4))]
    grids: list[NDArray[np.int8]] = []

    def extend(grid: list[NDArray[np.int64]]) -> None:
        if len(grid) == _SIZE:
            grids.append(np.concatenate(grid).astype(np.int8))
            return
        for row in rows:
            if all((row != above).all() for above in grid) and (len(grid) % 2 == 0 or _boxes_differ(grid[-1], row)):
                extend([*grid, row])

    extend([])
    return np.stack(grids)


def _boxes_differ(upper: NDArray[np.int64], lower: NDArray[np.int64]) -> bool:
    return not set(upper[:2]) & set(lower[:2]) and not set(upper[2:]) & set(lower[2:])


def _write(cells: NDArray[np.int8]) -> str:
    text = "".join("_" if cell == 0 else str(int(cell)) for cell in cells)
    return "/".join(text[start : start + 4] for start in range(0, 16, 4))


def _read(text: str) -> NDArray[np.int8]:
    return np.array([0 if character == "_" else int(character) for character in text.replace("/", "")], dtype=np.int8)


def _solutions(cells: NDArray[np.int8]) -> NDArray[np.int8]:
    grids = all_grids()
    fits: NDArray[np.int8] = grids[((grids == cells) | (cells == 0)).all(axis=1)]
    return fits


class Sudoku(Task):
    """Fill the blanks of a 4 x 4 Sudoku. Sampled puzzles have exactly one solution."""

    name: ClassVar[str] = "sudoku"
    title: ClassVar[str] = "Sudoku 4×4"
    description: ClassVar[str] = "Fill the blanks (_) so that each row, column and 2×2 box holds 1, 2, 3 and 4."
    row: ClassVar[int] = 5
    example_prompts: ClassVar[tuple[str, ...]] = (
        "sudoku 32__/14_3/41__/___1=",
        "sudoku _2_3/_4_1/_3__/2_3_=",
        "sudoku __2_/1_4_/2_3_/_4__=",
    )

    def sample(self, rng: np.random.Generator) -> Example:
        """Blank out 4 to 10 cells of a random grid, fewer if the solution would not be unique."""
        grid = all_grids()[rng.integers(len(all_grids()))]
        blanks = int(rng.integers(_FEWEST_BLANKS, _MOST_BLANKS + 1))
        order = rng.permutation(16)
        while True:
            cells = grid.copy()
            cells[order[:blanks]] = 0
            if len(_solutions(cells)) == 1:
                return Example(f"sudoku {_write(cells)}=", _write(grid))
            blanks -= 1

    def validate_prompt(self, prompt: str) -> None:
        """Want the form `sudoku 1__4/__12/2_4_/_3_1=` and a puzzle that has a solution."""
        match = _PROMPT.fullmatch(prompt)
        if match is None:
            raise PromptError(
                f"Not a Sudoku prompt: {prompt!r}. Write four rows of four cells (1-4, _ for a blank), with / between "
                f"them, such as {self.example_prompts[0]!r}."
            )
        if not len(_solutions(_read(match[1]))):
            raise PromptError(f"The Sudoku {match[1]} has no solution: a digit is repeated or blocked. Change a clue.")

    def solve(self, prompt: str, completion: str = "") -> str:
        """Of all solutions the one that has most cells in common with the completion."""
        match = _PROMPT.fullmatch(prompt)
        written = [_write(solution) for solution in _solutions(_read(match[1]))] if match else []
        return max(written, key=lambda text: sum(a == b for a, b in zip(text, completion, strict=False)))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept every solved grid that keeps the clues."""
        match = _PROMPT.fullmatch(prompt)
        if match is None or not re.fullmatch(r"[1-4]{4}(?:/[1-4]{4}){3}", completion):
            return False
        return bool((_solutions(_read(match[1])) == _read(completion)).all(axis=1).any())
