"""Grids with few or no clues: every number once in each row, column and box, and many right answers to a prompt."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_PATTERNS = 64
"""Grids found by search; relabelled and permuted, they give every grid that training sees."""

Cells = NDArray[np.int64]


@cache
def _peers(height: int, width: int) -> tuple[tuple[int, ...], ...]:
    """For each cell the cells that must differ from it; boxes are `height` rows by `width` columns."""
    size = height * width
    places = list(product(range(size), range(size)))
    units = [(row, column, (row // height, column // width)) for row, column in places]
    return tuple(
        tuple(
            other
            for other, unit in enumerate(units)
            if other != cell and any(a == b for a, b in zip(unit, units[cell], strict=True))
        )
        for cell in range(len(places))
    )


def complete(cells: Cells, wanted: Cells, height: int, width: int) -> Cells | None:
    """Fill the zeros of a grid, trying in each cell the wanted number first; None if that cannot be done.

    Always takes the cell with the fewest numbers left, so a search of a 6 x 6 grid goes back a few times at most.
    """
    size, peers = height * width, _peers(height, width)
    filled = cells.copy()
    if any(filled[cell] and filled[cell] in filled[list(peers[cell])] for cell in range(size * size)):
        return None

    def extend() -> bool:
        open_cells = [cell for cell in range(size * size) if not filled[cell]]
        if not open_cells:
            return True
        choices = {cell: set(range(1, size + 1)) - {int(filled[peer]) for peer in peers[cell]} for cell in open_cells}
        cell = min(open_cells, key=lambda place: (len(choices[place]), wanted[place] not in choices[place]))
        for number in sorted(choices[cell], key=lambda number: (number != wanted[cell], number)):
            filled[cell] = number
            if extend():
                return True
        filled[cell] = 0
        return False

    return filled if extend() else None


@cache
def _patterns(height: int, width: int) -> Cells:
    """Some solved grids, shape (patterns, cells), the same in every process."""
    size, rng = height * width, np.random.default_rng(0)
    found: list[Cells] = []
    while len(found) < _PATTERNS:
        grid = complete(np.zeros(size * size, dtype=int), rng.integers(1, size + 1, size * size), height, width)
        if grid is not None:
            found.append(grid)
    return np.stack(found)


def _shuffled_lines(rng: np.random.Generator, groups: int, lines: int) -> NDArray[np.int64]:
    """An order of `groups * lines` lines that keeps the lines of a group together."""
    return np.concatenate([group * lines + rng.permutation(lines) for group in rng.permutation(groups)])


class OpenGrid(Task):
    """Fill a grid of which few cells, or none, are given. Any grid that keeps the clues and the rules is right.

    Attributes
    ----------
    box
        Rows and columns of a box; the grid is as wide as a box has cells.
    most_clues
        As many cells as a sampled prompt gives at most.
    """

    box: ClassVar[tuple[int, int]]
    most_clues: ClassVar[int]

    @property
    def _size(self) -> int:
        return self.box[0] * self.box[1]

    def _read(self, text: str) -> Cells:
        return np.array([0 if sign == "_" else int(sign) for sign in text.replace("/", "")])

    def _write(self, cells: Cells) -> str:
        return "/".join("".join(str(n or "_") for n in row) for row in cells.reshape(-1, self._size).tolist())

    def _form(self, empty: str = "") -> str:
        """Pattern of a written grid; with ``_`` as its sign, a cell may be empty."""
        row = rf"[1-{self._size}{empty}]{{{self._size}}}"
        return rf"{row}(?:/{row}){{{self._size - 1}}}"

    def _clues(self, prompt: str) -> Cells | None:
        match = re.fullmatch(rf"{self.name} ({self._form('_')})=", prompt)
        return None if match is None else self._read(match[1])

    def sample(self, rng: np.random.Generator) -> Example:
        """Take a solved grid at random and show at most `most_clues` of its cells."""
        height, width = self.box
        patterns = _patterns(height, width)
        grid = patterns[rng.integers(len(patterns))].reshape(self._size, self._size)
        grid = grid[_shuffled_lines(rng, width, height)][:, _shuffled_lines(rng, height, width)]
        grid = (rng.permutation(self._size) + 1)[grid - 1].reshape(-1)
        shown = rng.permutation(grid.size)[: rng.integers(self.most_clues + 1)]
        clues = np.zeros_like(grid)
        clues[shown] = grid[shown]
        return Example(f"{self.name} {self._write(clues)}=", self._write(grid))

    def validate_prompt(self, prompt: str) -> None:
        """Want rows of cells with / between them, and clues that a grid can keep."""
        clues = self._clues(prompt)
        if clues is None:
            raise PromptError(
                f"Not a prompt for a grid: {prompt!r}. Write {self._size} rows of {self._size} cells (1-{self._size}, "
                f"_ for an empty one), with / between them, such as {self.example_prompts[0]!r}."
            )
        if complete(clues, clues, *self.box) is None:
            raise PromptError(f"No grid keeps the clues of {prompt!r}: a number is repeated or blocked. Change a clue.")

    def solve(self, prompt: str, completion: str = "") -> str:
        """A grid that keeps the clues and, cell by cell as far as it can, what the completion wrote."""
        clues = self._clues(prompt)
        signs = completion.replace("/", "").ljust(self._size**2, "_")
        wanted = np.array([int(s) if s.isascii() and s.isdigit() else 0 for s in signs[: self._size**2]])
        grid = None if clues is None else complete(clues, wanted, *self.box)
        if grid is None:
            raise PromptError(f"No grid keeps the clues of {prompt!r}.")
        return self._write(grid)

    def check(self, prompt: str, completion: str) -> bool:
        """Accept every grid that keeps the clues and repeats no number in a row, column or box."""
        clues = self._clues(prompt)
        if clues is None or not re.fullmatch(self._form(), completion):
            return False
        grid = self._read(completion)
        keeps = bool(((grid == clues) | (clues == 0)).all())
        return keeps and complete(grid, grid, *self.box) is not None

    def clashes(self, written: str) -> tuple[tuple[int, int], ...]:
        """Pairs of places in a text at which cells of one row, column or box hold the same number.

        Parameters
        ----------
        written
            Rows with / between them, `_` for a cell that is still empty.

        Raises
        ------
        PromptError
            It is not such a text.
        """
        if not re.fullmatch(self._form("_"), written):
            raise PromptError(
                f"Not a grid: {written!r}. Write {self._size} rows of {self._size} cells (1-{self._size}, _ for an "
                "empty one), with / between them."
            )
        places = [place for place, sign in enumerate(written) if sign != "/"]
        return tuple(
            (places[cell], places[peer])
            for cell, peers in enumerate(_peers(*self.box))
            for peer in peers
            if cell < peer and written[places[cell]] == written[places[peer]] != "_"
        )


class Grid4(OpenGrid):
    """A 4 x 4 grid with at most four clues."""

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Open grid 4×4"
    description: ClassVar[str] = "Invent a 4×4 Sudoku grid around at most a few given cells; many answers are right."
    box: ClassVar[tuple[int, int]] = (2, 2)
    row: ClassVar[int] = 5
    most_clues: ClassVar[int] = 4
    example_prompts: ClassVar[tuple[str, ...]] = (
        "grid ____/____/____/____=",
        "grid ____/3___/____/__2_=",
        "grid 1___/____/____/___4=",
    )


class Grid6(OpenGrid):
    """A 6 x 6 grid with at most twelve clues."""

    name: ClassVar[str] = "grid6"
    title: ClassVar[str] = "Open grid 6×6"
    description: ClassVar[str] = "Invent a 6×6 Sudoku grid (boxes 2 high, 3 wide) around some given cells."
    box: ClassVar[tuple[int, int]] = (2, 3)
    row: ClassVar[int] = 7
    most_clues: ClassVar[int] = 12
    example_prompts: ClassVar[tuple[str, ...]] = (
        "grid6 ______/______/______/______/______/______=",
        "grid6 1_____/____2_/______/__3___/______/_____4=",
    )
