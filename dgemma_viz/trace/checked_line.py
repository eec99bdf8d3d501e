"""What a key of a logged line may hold: types, sizes and ranges, judged before anything is built from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceFileError

Array = npt.NDArray[Any]

PROBABILITIES = ("confidence", "candidate_probability", "top_k_probabilities")
LARGEST_ID = 2**31 - 1
_ROUNDING = 1e-3
"""How far above 1 a probability may be, as in :class:`~dgemma_viz.trace.model.Trace`."""


@dataclass(frozen=True)
class CheckedLine:
    """One line and what its keys must hold; every error names both.

    Attributes
    ----------
    number
        Line in the file, from 1.
    data
        The JSON object.
    vocab_size
        Token ids are below it; 0 if it is not known.
    """

    number: int
    data: dict[str, Any]
    vocab_size: int

    def error(self, name: str, wanted: str) -> TraceFileError:
        """What is wrong with a key."""
        return TraceFileError(f"line {self.number}: '{name}' must be {wanted}")

    def only(self, known: set[str]) -> None:
        """Refuse keys that are not known: a misspelt one would go unnoticed."""
        if unknown := sorted(set(self.data) - known):
            shown = ", ".join(repr(name)[:40] for name in unknown[:3])
            raise TraceFileError(f"line {self.number} has unknown keys {shown}; known are {sorted(known)}")

    def place(self, name: str) -> int:
        """Canvas, step or sample; 0 if left out."""
        value = self.data.get(name, 0)
        if type(value) is not int or not 0 <= value <= LARGEST_ID:
            raise self.error(name, "a whole number from 0")
        return int(value)

    def ids(self, name: str, value: Any = None) -> Array:
        """Token ids, int32, of the key or of ``value``."""
        value = self.data[name] if value is None else value
        largest = self.vocab_size - 1 if self.vocab_size > 0 else LARGEST_ID
        if not isinstance(value, list) or not all(type(i) is int and 0 <= i <= largest for i in value):
            raise self.error(name, f"a list of token ids from 0 to {largest}")
        return np.array(value, dtype=np.int32)

    def counts(self, name: str) -> Array:
        """How many tokens of the vocabulary, int32."""
        value = self.data[name]
        largest = self.vocab_size - 1 if self.vocab_size > 0 else LARGEST_ID
        if not isinstance(value, list) or not all(type(count) is int and 0 <= count <= largest for count in value):
            raise self.error(name, f"a list of numbers of tokens, whole ones from 0 to {largest}")
        return np.array(value, dtype=np.int32)

    def numbers(self, name: str, value: Any = None) -> Array:
        """Numbers, float32, of the key or of ``value``; NaN for null."""
        value = self.data[name] if value is None else value
        if not isinstance(value, list) or not all(part is None or type(part) in (int, float) for part in value):
            raise self.error(name, "a list of numbers (null where there is none)")
        return self._as_floats(name, value)

    def scalar(self, name: str) -> Array:
        """One number as an array without axes; NaN for null."""
        value = self.data[name]
        if value is not None and type(value) not in (int, float):
            raise self.error(name, "a number, or null")
        return self._as_floats(name, value)

    def _as_floats(self, name: str, value: Any) -> Array:
        try:
            numbers: Array = np.array(value, dtype=np.float64)
        except OverflowError as error:
            raise self.error(name, "within the range of floating-point numbers") from error
        finite = numbers[np.isfinite(numbers)]
        if name in PROBABILITIES and finite.size and not (finite.min() >= 0 and finite.max() <= 1 + _ROUNDING):
            raise self.error(name, "from 0 to 1")
        with np.errstate(over="ignore"):
            return numbers if name == "wall_time" else numbers.astype(np.float32)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.data[name]
        if not isinstance(value, bool):
            raise self.error(name, "true or false")
        return value

    def flags(self, name: str) -> Array:
        """Bool, of true and false or of 1 and 0."""
        value = self.data[name]
        if not isinstance(value, list) or not all(part in (0, 1) and type(part) in (bool, int) for part in value):
            raise self.error(name, "a list of true and false, or of 1 and 0")
        return np.array(value, dtype=bool)

    def rows(self, name: str, row: Any) -> Array:
        """A list for each position, each read with ``row``: ``(C, K)``."""
        value = self.data[name]
        if not isinstance(value, list) or not all(isinstance(part, list) for part in value):
            raise self.error(name, "a list for each position")
        arrays = [row(name, part) for part in value]
        if len({len(array) for array in arrays}) > 1 or not all(len(array) for array in arrays):
            raise self.error(name, "of the same number of alternatives, at least 1, at each position")
        return np.stack(arrays) if arrays else np.zeros((0, 1))
