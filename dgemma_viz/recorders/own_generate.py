"""Which models' ``generate()`` never comes to transformers' own loop, so that it is no autoregressive one.

A class may override ``generate()`` and still be decoded by that loop, as many of transformers' own do: they check their
arguments, switch adapters, and go on with ``super().generate()``. Others run a loop of their own, such as mask-token
diffusion models whose code comes with their weights, or call ``generate()`` of one of their parts. Which of the two it
is, the code tells before it runs: :func:`leaves_the_loop` follows it from function to function.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from dgemma_viz.upstream.transformers import CAUSAL_PROCESSORS

_LOOP = "GenerationMixin"
_NOT_FOLLOWED = ("torch", "transformers.generation", "transformers.modeling_utils", "transformers.utils")


def part_that_generates(model: Any) -> str:
    """The part of a model to whose ``generate()`` its own hands over without coming to transformers' loop; or empty."""
    kind = type(model)
    own = next((vars(cls)["generate"] for cls in kind.__mro__ if "generate" in vars(cls)), None)
    function = _function(own)
    if function is None or "generate" not in function.__code__.co_names or not leaves_the_loop(model):
        return ""
    parts = (name for name in function.__code__.co_names if hasattr(getattr(model, name, None), "generate"))
    return next(parts, "")


def leaves_the_loop(model: Any) -> bool:
    """Whether no way through the code of ``model.generate`` leads to transformers' loop, as far as names tell."""
    kind = type(model)
    loops = [cls for cls in kind.__mro__ if "generate" in vars(cls)]
    found = vars(model).get("generate") or next((vars(cls)["generate"] for cls in loops), None)
    queue, seen = [_function(found)], set()
    while queue:
        function = queue.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        names = set(_names(function.__code__))
        if _is_upstream(function) or CAUSAL_PROCESSORS in names or {_LOOP, "generate"} <= names:
            return False
        if {"super", "generate"} <= names:
            above = loops[loops.index(owner) + 1 :] if (owner := _owner(function)) in loops else loops
            queue += [_function(vars(cls)["generate"]) for cls in above[:1]]
        queue += [_function(_named(model, function, name)) for name in names - {"generate"}]
    return True


def _function(found: Any) -> FunctionType | None:
    """The function behind methods, partials and decorators that say what they wrap."""
    for _ in range(16):
        if isinstance(found, partial):
            found = found.func
        elif isinstance(found, MethodType | staticmethod | classmethod):
            found = found.__func__
        elif hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        else:
            break
    return found if isinstance(found, FunctionType) else None


def _names(code: CodeType) -> Iterator[str]:
    """Names that a function uses, those of the functions in it included."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _named(model: Any, function: FunctionType, name: str) -> Any:
    """What a name may stand for: a method of the model, a function of the module or of the one around it."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if name in cells:
        return _content(cells[name])
    for found in (inspect.getattr_static(model, name, None), function.__globals__.get(name)):
        target = _function(found)
        if target is not None and (_is_upstream(target) or not target.__module__.startswith(_NOT_FOLLOWED)):
            return target
    return None


def _owner(function: FunctionType) -> Any:
    """Class whose ``super()`` a method uses."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return _content(cells["__class__"]) if "__class__" in cells else None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _is_upstream(function: FunctionType) -> bool:
    return function.__qualname__ == f"{_LOOP}.generate" and function.__module__.startswith("transformers.")
