"""What there is to know about a sampler before it runs: its parameters, its kind of noise, and how its loop is called.

A sampler here is always a library's own loop. ``prepare`` sets it up for one batch of prompts and returns what
:func:`dgemma_viz.record` can watch, and the call that runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from packaging.requirements import Requirement

from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.upstream.versions import clash_of, required, shortfall

Noise = Literal["uniform", "mask"]
"""What stands at a position that is not decided: a uniformly random token, or a mask token."""

Way = Literal["diffusion", "autoregressive", "drafted", "looked up"]
"""How text is decoded: a canvas at once, or left to right, alone or with drafts that are verified."""

Values = dict[str, Any]
"""Parameter name to value."""


@dataclass(frozen=True)
class Prepared:
    """A loop that is ready to run.

    Attributes
    ----------
    recordable
        Model or pipeline, for :func:`dgemma_viz.record`.
    run
        Runs the loop once; the result is read from the trace.
    """

    recordable: Any
    run: Callable[[], object]


Prepare = Callable[[Any, Any, Mapping[str, Any], Values, int | None], Prepared]
"""(model, tokenizer, inputs of :func:`~dgemma_viz.labs.prompts.encode`, parameters that were given, most new tokens)"""


def noise_of(model: Any) -> Noise:
    """Kind of noise that a model was trained on; DiffusionGemma is the one kind here without a mask token."""
    return "uniform" if hasattr(getattr(model, "config", None), "canvas_length") else "mask"


def _nothing_to_compare(_values: Values) -> None:
    """For samplers whose parameters do not depend on each other."""


@dataclass(frozen=True)
class Sampler:
    """One sampler.

    Attributes
    ----------
    name
        Key in :data:`~dgemma_viz.labs.samplers.SAMPLERS`.
    title, description
        For the screen.
    library
        Whose loop it is.
    loop
        Class that holds the loop; :mod:`dgemma_viz.recorders.registry` knows by it who records the run.
    noise
        Of the models that it samples, see :data:`Noise`; None for what decodes left to right.
    parameters
        What may be chosen.
    prepare
        Sets the loop up.
    validate
        Judges all values at once; raises :class:`~dgemma_viz.errors.SettingError`.
    decides
        Class that decides what is accepted, as in ``trace.facts.sampler``.
    changeable
        Parameters that may change while a run goes on; None where runs can be neither repeated nor intervened in.
    sticky
        Whether an accepted token stays until the canvas ends, unless it is edited.
    way
        See :data:`Way`.
    batched
        Whether the loop takes several prompts at once.
    """

    name: str
    title: str
    description: str
    library: Literal["transformers", "diffusers"]
    loop: str
    noise: Noise | None
    parameters: tuple[Parameter, ...]
    prepare: Prepare = field(repr=False)
    validate: Callable[[Values], None] = field(default=_nothing_to_compare, repr=False)
    decides: str = ""
    changeable: tuple[str, ...] | None = None
    sticky: bool = False
    way: Way = "diffusion"
    batched: bool = True

    @property
    def endless(self) -> bool:
        """Whether the loop takes ``eos_token_id=None`` among its inputs, and then writes up to the limit."""
        return self.library == "transformers"

    @property
    def installed(self) -> bool:
        """Whether its library is there, in a version with which its loop runs."""
        return not self._obstacle()

    def need_library(self) -> None:
        """Raise MissingDependencyError, with what to install, unless :attr:`installed`."""
        if obstacle := self._obstacle():
            raise MissingDependencyError(f"the sampler '{self.name}' cannot run here: {obstacle}")

    def _obstacle(self) -> str:
        """Why the loop cannot run, and what to install; empty if it can."""
        known = [one for one in (*required(), *required(self.library)) if one.name == self.library]
        for requirement in known or [Requirement(self.library)]:
            if lacks := shortfall(requirement):
                return f"{self.library} is {lacks}; pip install 'dgemma-viz[{self.library}]'"
        return clash_of(self.loop)

    def need_model(self, model: Any) -> None:
        """Raise SettingError unless the model is of the kind that this sampler samples."""
        wanted = self.noise or "uniform"
        if noise_of(model) != wanted:
            needs = "a DiffusionGemma" if wanted == "uniform" else "a mask-token model"
            has = "a DiffusionGemma" if wanted == "mask" else f"a {type(model).__name__}"
            bundled = "load_tiny()" if wanted == "uniform" else 'load_tiny("masked")'
            raise SettingError(
                f"the sampler '{self.name}' needs {needs}, and this is {has}: give it one (dv.{bundled} is bundled) "
                "or choose another sampler"
            )

    def checked(self, given: Mapping[str, Any] | None = None) -> Values:
        """The parameters that were given, each as the type that the sampler wants.

        Raises
        ------
        SettingError
            One is unknown, of the wrong type or out of range, or two do not go together.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        given = dict(given or {})
        if unknown := sorted(set(given) - set(known)):
            raise SettingError(f"the sampler '{self.name}' has no parameter {unknown[0]!r}; it has {', '.join(known)}")
        values = {name: known[name].checked(value) for name, value in given.items()}
        self.validate({parameter.name: parameter.default for parameter in self.parameters} | values)
        return values

    def values(self, given: Mapping[str, Any] | None = None) -> Values:
        """All parameters: what was given, checked, and the defaults of the rest."""
        return {parameter.name: parameter.default for parameter in self.parameters} | self.checked(given)
