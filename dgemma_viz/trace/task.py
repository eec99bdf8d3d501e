"""What a run was for: the prompt, the right answer, and what whoever made the run says is needed to make it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True)
class RunTask:
    """Facts about the task of a run; in files one flat JSON object, in which whatever is not set is left out.

    Attributes
    ----------
    prompt, prompts
        What was asked, as text: of one sample, or of each of a batch. None, empty: not given.
    reference
        The right answer, or None.
    name
        Of a task of the bundled model, a key of ``dgemma_viz.tiny.tasks.TASKS``.
    sampler, parameters
        Sampler of :mod:`dgemma_viz.labs.samplers` that ran, and all its parameters.
    interventions
        What was changed on purpose: JSON objects, read by
        :func:`~dgemma_viz.trace.interventions.intervention.recorded_interventions`.
    fault
        Title of the fault that was planted in the model.
    way
        Way of decoding, in a race.
    more
        Whatever else the caller gave, JSON types.
    """

    prompt: str | None = None
    prompts: tuple[str, ...] = ()
    reference: str | None = None
    name: str = ""
    sampler: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    interventions: tuple[Any, ...] = ()
    fault: str = ""
    way: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From :meth:`to_json`, or from what a user gives; a value of another type than it should be is in ``more``."""
        known = {name: _TYPED[name](value) for name, value in given.items() if name in _TYPED}
        known = {name: value for name, value in known.items() if value is not None}
        return cls(**known, more={name: value for name, value in given.items() if name not in known})

    def to_json(self) -> dict[str, Any]:
        """One flat dict of JSON types, without what is not set."""
        data: dict[str, Any] = dict(self.more)
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "more" and (value or (value == "" and one.default is None)):
                data[one.name] = list(value) if isinstance(value, tuple) else value
        return deepcopy(data)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    fits = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return tuple(value) if fits else None


_TYPED: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("prompt", "reference", "name", "sampler", "fault", "way"), _text),
    "prompts": _texts,
    "parameters": lambda value: value if isinstance(value, Mapping) else None,
    "interventions": lambda value: tuple(value) if isinstance(value, list | tuple) else None,
}
"""From each fact's JSON value to its own type, or None where it is of another."""
