"""Nested brackets of a given length and depth: each must be closed by its own kind, in the right order."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_OPEN, _CLOSE = "([{", ")]}"
_PARTNER = dict(zip(_OPEN, _CLOSE, strict=True))
_SHORTEST, _LONGEST, _SHALLOWEST, _DEEPEST, _MOST_GIVEN = 16, 40, 2, 4, 4
_PROMPT = re.compile(rf"brackets (\d\d) (\d):([()\[\]{{}}]{{0,{_MOST_GIVEN}}})")


@cache
def _ways(left: int, depth: int, deepest: int, *, reached: bool) -> int:
    """Number of shapes of `left` more brackets that end at depth 0, stay within `deepest` and reach it."""
    if depth < 0 or depth > deepest:
        return 0
    reached = reached or depth == deepest
    if left == 0:
        return int(depth == 0 and reached)
    return _ways(left - 1, depth + 1, deepest, reached=reached) + _ways(left - 1, depth - 1, deepest, reached=reached)


def _depths(text: str) -> list[int] | None:
    """Depth after each bracket; None where a bracket closes what is not open."""
    stack: list[str] = []
    depths = []
    for sign in text:
        if sign in _OPEN:
            stack.append(_PARTNER[sign])
        elif not stack or stack.pop() != sign:
            return None
        depths.append(len(stack))
    return depths


def _draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """A length and a greatest depth."""
    length = 2 * int(rng.integers(_SHORTEST // 2, _LONGEST // 2 + 1))
    return length, int(rng.integers(_SHALLOWEST, _DEEPEST + 1))


class Brackets(Task):
    """Write brackets of three kinds that close each other in the right order, of a given length and greatest depth."""

    name: ClassVar[str] = "brackets"
    title: ClassVar[str] = "Nested brackets"
    description: ClassVar[str] = "Write brackets of three kinds, of a given length and depth, around a given beginning."
    example_prompts: ClassVar[tuple[str, ...]] = ("brackets 40 3:", "brackets 32 2:([", "brackets 24 4:{")

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw length, depth and the kind of each pair; as many whole nests as fit, then a flatter one."""
        length, deepest = _draw_size(rng)
        signs: list[str] = []
        while len(signs) < length:
            opened = [_OPEN[kind] for kind in rng.integers(len(_OPEN), size=min(deepest, (length - len(signs)) // 2))]
            signs += [*opened, *(_PARTNER[sign] for sign in reversed(opened))]
        given = "".join(signs[: rng.integers(_MOST_GIVEN + 1)])
        return Example(f"brackets {length} {deepest}:{given}", "".join(signs))

    @staticmethod
    def _parse(prompt: str) -> tuple[int, int, str] | None:
        match = _PROMPT.fullmatch(prompt)
        return None if match is None else (int(match[1]), int(match[2]), match[3])

    def validate_prompt(self, prompt: str) -> None:
        """Want an even length, a depth, and a beginning that can be closed within them."""
        parsed = self._parse(prompt)
        if (
            parsed is None
            or parsed[0] % 2
            or not _SHORTEST <= parsed[0] <= _LONGEST
            or not _SHALLOWEST <= parsed[1] <= _DEEPEST
        ):
            raise PromptError(
                f"Not a prompt for brackets: {prompt!r}. Write an even length from {_SHORTEST} to {_LONGEST}, a depth "
                f"from {_SHALLOWEST} to {_DEEPEST}, ':' and at most {_MOST_GIVEN} first brackets, such as "
                f"{self.example_prompts[1]!r}."
            )
        depths = _depths(parsed[2])
        if depths is None or max(depths, default=0) > parsed[1]:
            raise PromptError(f"The beginning {parsed[2]!r} closes what is not open, or is deeper than {parsed[1]}.")

    def solve(self, prompt: str, completion: str = "") -> str:
        """Open and close where the completion does, as far as length and depth allow; keep its kinds."""
        parsed = self._parse(prompt)
        if parsed is None or self.check(prompt, completion):
            return completion
        length, deepest, given = parsed
        wanted = (given + completion[len(given) :]).ljust(length)
        signs: list[str] = []
        stack: list[str] = []
        reached = False
        for index in range(length):
            reached = reached or len(stack) == deepest
            up, down = (_ways(length - index - 1, len(stack) + step, deepest, reached=reached) for step in (1, -1))
            if up and (wanted[index] in _OPEN or not down):
                signs.append(wanted[index] if wanted[index] in _OPEN else _OPEN[0])
                stack.append(_PARTNER[signs[-1]])
            else:
                signs.append(stack.pop())
        return "".join(signs)

    def check(self, prompt: str, completion: str) -> bool:
        """Accept brackets of just this length and greatest depth, each closed by its kind, that begin as given."""
        parsed = self._parse(prompt)
        if parsed is None or set(completion) - set(_OPEN + _CLOSE):
            return False
        length, deepest, given = parsed
        depths = _depths(completion)
        return (
            depths is not None
            and len(completion) == length
            and completion.startswith(given)
            and depths[-1] == 0
            and max(depths) == deepest
        )


class BracketsOfAnyShape(Brackets):
    """The same, with every shape of that length and depth: taught in the first round, and not learned."""

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw length, depth, one of all shapes with equal chance, and the kind of each pair; show a beginning."""
        length, deepest = _draw_size(rng)
        signs: list[str] = []
        stack: list[str] = []
        reached = False
        for left in range(length - 1, -1, -1):
            reached = reached or len(stack) == deepest
            up, down = (_ways(left, len(stack) + step, deepest, reached=reached) for step in (1, -1))
            if rng.random() < up / (up + down):
                signs.append(_OPEN[rng.integers(len(_OPEN))])
                stack.append(_PARTNER[signs[-1]])
            else:
                signs.append(stack.pop())
        given = "".join(signs[: rng.integers(_MOST_GIVEN + 1)])
        return Example(f"brackets {length} {deepest}:{given}", "".join(signs))
