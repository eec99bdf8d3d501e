"""Choose a parameter that a running sampler reads anew in each step, and its other value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import Parameter, Sampler
from dgemma_viz.widgets.fault_choice import explanation
from dgemma_viz.widgets.panels import close_tree


class ParameterChoice(ipw.VBox):  # type: ignore[misc]
    """A dropdown of parameters, the field for the chosen one's value, and its meaning.

    Attributes
    ----------
    parameter
        Dropdown; its value is the parameter's name, or None before :meth:`offer`.
    number, choice, off
        Fields of the value: only those that fit the parameter are shown.
    """

    def __init__(self) -> None:
        wide = ipw.Layout(width="min(26rem, calc(100% - 4px))")
        self.parameter = ipw.Dropdown(description="Parameter", layout=wide)
        self.number = ipw.FloatText(description="Value", layout=ipw.Layout(width="14rem"))
        self.choice = ipw.Dropdown(description="Value", layout=wide)
        self.off = ipw.Checkbox(description="off", indent=False, layout=ipw.Layout(width="5rem"))
        self._value = ipw.HBox(layout=ipw.Layout(align_items="center"))
        self._about = ipw.HTML()
        self._known: dict[str, Parameter] = {}
        self._settings: Mapping[str, Any] = {}
        self.parameter.observe(lambda _: self._offer_value(), "value")
        self.off.observe(lambda _: self._grey_out(), "value")
        super().__init__()

    def close(self) -> None:
        """Close every field."""
        fields = (self.parameter, self._value, self.number, self.choice, self.off, self._about)
        close_tree(self, super().close, besides=fields)

    def offer(self, sampler: Sampler, settings: Mapping[str, Any]) -> None:
        """Parameters of a sampler, at the values that they had in a run."""
        known = {parameter.name: parameter for parameter in sampler.parameters}
        self._known = {name: known[name] for name in sampler.changeable or ()}
        self._settings = settings
        options = [(parameter.label, name) for name, parameter in self._known.items()]
        if self.parameter.options != tuple(options):
            self.parameter.options = options
            self.parameter.value = next(iter(self._known), None)
        self._offer_value()

    def chosen(self) -> dict[str, Any]:
        """Name and checked value.

        Raises
        ------
        SettingError
            The value is out of range, or there is nothing to choose from.
        """
        parameter = self._known.get(self.parameter.value)
        if parameter is None:
            raise SettingError("this sampler has no parameter that can change in the middle of a run")
        value: Any = self.choice.value if parameter.kind == "choice" else self.number.value
        return {parameter.name: parameter.checked(None if parameter.optional and self.off.value else value)}

    def _offer_value(self) -> None:
        parameter = self._known.get(self.parameter.value)
        if parameter is None:
            self.children = []
            return
        value = self._settings.get(parameter.name, parameter.default)
        self.off.value = parameter.optional and value is None
        if parameter.kind == "choice":
            self.choice.options = parameter.choices
            self.choice.value = value if value in parameter.choices else parameter.default
        elif isinstance(value, int | float):
            self.number.value = value
        self._value.children = [
            self.choice if parameter.kind == "choice" else self.number,
            *([self.off] if parameter.optional else []),
        ]
        self._about.value = explanation(parameter.meaning)
        self.children = [self.parameter, self._value, self._about]
        self._grey_out()

    def _grey_out(self) -> None:
        self.number.disabled = self.off.value
