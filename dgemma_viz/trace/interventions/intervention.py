"""What all interventions share: a place in a run, the steps for which they hold, and a form that a saved trace keeps.

An intervention is data: it says what to change and where, and knows neither model nor sampler. Tokens may be given as
ids or as text; :meth:`Intervention.with_tokens` turns text into ids, and everything after that works with ids only.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from inspect import isabstract
from typing import Any, ClassVar, Self

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.model import Trace

Token = int | str
"""An id, or the text of one token."""

_KINDS: dict[str, type[Intervention]] = {}


@dataclass(frozen=True)
class Intervention(ABC):
    """One change to a run.

    Attributes
    ----------
    canvas, step
        Where it begins: canvas and denoising step within it, counted from 0.
    sample
        Sample of the batch; None for all.

    Raises
    ------
    SettingError
        On construction, for what can be judged without a run.
    """

    canvas: int | None = field(default=0, kw_only=True)
    step: int = field(kw_only=True)
    sample: int | None = field(default=None, kw_only=True)

    every_canvas: ClassVar[bool] = False
    """Whether ``canvas=None``, every canvas, is allowed."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _KINDS[cls.__name__] = cls

    def __post_init__(self) -> None:
        for name in ("canvas", "step", "sample"):
            value = getattr(self, name)
            optional = name == "sample" or (name == "canvas" and self.every_canvas)
            if value is not None or not optional:
                object.__setattr__(self, name, checked_range(name, value, whole=True))

    # -- when ----------------------------------------------------------------------------------------------------

    @property
    def begins(self) -> tuple[int, int]:
        """First canvas and step that it changes."""
        return (0 if self.canvas is None else self.canvas), self.step

    @property
    @abstractmethod
    def lasts(self) -> int | None:
        """For how many steps it holds; None for the rest of the canvas."""

    def holds(self, canvas: int, step: int) -> bool:
        """Whether it changes a step."""
        if self.canvas is not None and canvas != self.canvas:
            return False
        return self.step <= step and (self.lasts is None or step < self.step + self.lasts)

    # -- what ----------------------------------------------------------------------------------------------------

    def positions_named(self) -> tuple[int, ...]:
        """Positions that the caller named, to be judged against the canvas length."""
        return ()

    def with_tokens(self, token_of: Callable[[Token], Token]) -> Self:
        """The same intervention with other forms of its tokens: ids in the place of texts, or texts of ids."""
        del token_of
        return self

    @abstractmethod
    def action(self) -> str:
        """What it does, in words that follow the place."""

    def describe(self, token_texts: Mapping[int, str] | None = None) -> str:
        """Place and action in one line; ids that have a text are shown as that, which is NOT escaped."""
        if token_texts:
            texts = {**token_texts}
            return self.with_tokens(
                lambda token: texts.get(token, token) if isinstance(token, int) else token
            ).describe()
        where = "every canvas" if self.canvas is None else f"canvas {self.canvas}"
        whose = "" if self.sample is None else f", sample {self.sample}"
        when = f"step {self.step}"
        if self.lasts != 1:
            when = (
                f"from step {self.step} on"
                if self.lasts is None
                else f"{counted(self.lasts, 'step')} from step {self.step}"
            )
        return f"{where}{whose}, {when}: {self.action()}"

    # -- as data -------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain dict of JSON types; :func:`from_json` reads it."""
        return {"kind": type(self).__name__} | {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.init}


def from_json(data: Mapping[str, Any]) -> Intervention:
    """The intervention that :meth:`Intervention.to_json` gave.

    Raises
    ------
    SettingError
        There is no such kind, or its values are wrong.
    """
    values = dict(data) if isinstance(data, dict) else {}
    known = {name: kind for name, kind in _KINDS.items() if not isabstract(kind)}
    kind = known.get(str(values.pop("kind", None)))
    if kind is None:
        raise SettingError(f"{data!r} is not an intervention; known kinds are {', '.join(known)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise SettingError(f"{data!r} is no {kind.__name__}: {error}") from error


def recorded_interventions(trace: Trace) -> tuple[Intervention, ...]:
    """From ``facts.task.interventions``; empty for a run that was left alone.

    Raises
    ------
    TraceError
        What stands there cannot be read.
    """
    task = trace.facts.task
    told = task.more.get("interventions", task.interventions)
    try:
        return tuple(from_json(one) for one in told)
    except (SettingError, TypeError) as error:
        raise TraceError(f"this trace says that its run was intervened in, but not legibly: {error}") from error


def whole_numbers(values: Any, name: str) -> tuple[int, ...]:
    """At least one whole number from 0 on, each once.

    Raises
    ------
    SettingError
        They are none, or one stands there twice.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise SettingError(f"{name} must be a list of whole numbers, even for one, not {values!r}")
    found = tuple(checked_range(name.removesuffix("s"), value, whole=True) for value in values)
    if not found:
        raise SettingError(f"there are no {name}: name at least one")
    if len(set(found)) < len(found):
        raise SettingError(f"{name} {list(found)} name one twice; name each once")
    return found


def checked_token(token: Any) -> Token:
    """A token as text, or as a whole number from 0 on.

    Raises
    ------
    SettingError
        It is neither.
    """
    return token if isinstance(token, str) else checked_range("a token that is no text", token, whole=True)


def token_in_words(token: Token) -> str:
    """Its text in quotation marks, or its number."""
    return f"'{token}'" if isinstance(token, str) else f"token {token}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value, dtype="<f4").tobytes())
        return {"shape": list(value.shape), "float32": data.decode("ascii")}
    if hasattr(value, "items"):
        return {str(key): inner for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value
