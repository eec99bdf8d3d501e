"""A form of parameters in groups; native inputs, like those of :mod:`dgemma_viz.widgets.sampler_controls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anywidget
import traitlets as t

from dgemma_viz.labs.samplers import Parameter
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.parameter_entry import parameter_entry
from dgemma_viz.widgets.reader_choices import heed_choices


@dataclass(frozen=True)
class Group:
    """Parameters under one heading.

    Attributes
    ----------
    title
        The heading.
    parameters
        In their order.
    folded
        Closed at first.
    usual
        Parameter to first and last value of its slider, where the usual ones do not fit.
    """

    title: str
    parameters: tuple[Parameter, ...]
    folded: bool = False
    usual: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class SettingsForm(anywidget.AnyWidget):  # type: ignore[misc]
    """Inputs for groups of parameters.

    Parameters
    ----------
    groups
        What is asked for; names are unique over all groups.
    title
        For screen readers.

    Attributes
    ----------
    values
        Parameter to value, as typed; see :meth:`checked`.
    """

    _esm = joined_module("settings_form.js", STATIC)
    _css = style_sheets("sampler_controls.css", folder=STATIC)

    title = t.Unicode().tag(sync=True)
    groups = t.List().tag(sync=True)
    values = t.Dict().tag(sync=True)

    def __init__(self, groups: Sequence[Group], title: str) -> None:
        super().__init__(title=title)
        heed_choices(self, "values")
        self.offer(groups)

    def offer(self, groups: Sequence[Group]) -> None:
        """Replace what is asked for; values of parameters that stay are kept."""
        self._known = {parameter.name: parameter for group in groups for parameter in group.parameters}
        with self.hold_sync():
            self.values = {name: self.values.get(name, known.default) for name, known in self._known.items()}
            self.groups = [
                {
                    "title": group.title,
                    "folded": group.folded,
                    "parameters": [parameter_entry(one, group.usual.get(one.name)) for one in group.parameters],
                }
                for group in groups
            ]

    def checked(self) -> dict[str, Any]:
        """All values, each as the type that its parameter wants.

        Raises
        ------
        SettingError
            One is missing, of the wrong type or out of range.
        """
        return {name: known.checked(self.values.get(name)) for name, known in self._known.items()}
