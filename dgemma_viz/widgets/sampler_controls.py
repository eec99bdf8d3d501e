"""Choose a sampler and its parameters; every control is built from :data:`dgemma_viz.labs.samplers.SAMPLERS`.

Design. ipywidgets' sliders have no name for a screen reader, its dropdowns cannot disable an entry, and a bounded field
changes a wrong number without a word. So this is one small anywidget of native inputs: a number box that takes whatever
is typed (a value out of range is refused with a message when it is used, :meth:`SamplerControls.checked`), beside it a
slider over the values that are usual. Every parameter shows what it means and whether it differs from its default.

What the reader has changed stays changed under another sampler that has a parameter of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets as t

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import DENOISERS, SAMPLERS, Parameter, Sampler, sampler_named
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.parameter_entry import parameter_entry
from dgemma_viz.widgets.reader_choices import heed_choices


class SamplerControls(anywidget.AnyWidget):  # type: ignore[misc]
    """A list of samplers and the parameters of the chosen one.

    Parameters
    ----------
    sampler
        Chosen at first; a key of ``SAMPLERS``.
    values
        Parameters that differ from their defaults at first.
    offered
        Names of the samplers to offer; all that denoise if None. Those whose library is missing are shown and cannot be
        chosen.

    Attributes
    ----------
    sampler
        Name of the chosen sampler.
    values
        Parameter to value, as typed; see :meth:`checked`.

    Raises
    ------
    SettingError
        There is no such sampler, or a value cannot be used.
    """

    _esm = joined_module("sampler_controls.js", STATIC)
    _css = style_sheets("sampler_controls.css", folder=STATIC)

    samplers = t.List().tag(sync=True)
    sampler = t.Unicode().tag(sync=True)
    about = t.Unicode().tag(sync=True)
    parameters = t.List().tag(sync=True)
    values = t.Dict().tag(sync=True)

    def __init__(
        self,
        sampler: str = "entropy_bound",
        values: Mapping[str, Any] | None = None,
        offered: tuple[str, ...] | None = None,
    ) -> None:
        chosen = sampler_named(sampler)
        self._chosen = dict(chosen.checked(values))
        super().__init__(samplers=[_sampler_entry(SAMPLERS[name]) for name in offered or DENOISERS])
        heed_choices(self, "sampler", "values")
        self.observe(self._note_choices, "values")
        self.observe(self._offer_parameters, "sampler")
        self.sampler = sampler

    def checked(self) -> dict[str, Any]:
        """All parameters of the chosen sampler.

        Raises
        ------
        SettingError
            One is out of range, or two do not go together.
        """
        return SAMPLERS[self.sampler].values(self.values)

    def reset(self) -> None:
        """Every parameter at its default."""
        self.values = {parameter.name: parameter.default for parameter in SAMPLERS[self.sampler].parameters}

    @t.validate("sampler")  # type: ignore[untyped-decorator]
    def _known(self, proposal: t.Bunch) -> str:
        return sampler_named(proposal["value"]).name

    @t.validate("values")  # type: ignore[untyped-decorator]
    def _of_this_sampler(self, proposal: t.Bunch) -> dict[str, Any]:
        """Values of the chosen sampler: a page that was changed faster than it was redrawn sends another's."""
        given, before = proposal["value"], self.values
        known = SAMPLERS[self.sampler].parameters if self.sampler else ()
        return {p.name: given.get(p.name, before.get(p.name, p.default)) for p in known}

    def _offer_parameters(self, _change: t.Bunch) -> None:
        sampler = SAMPLERS[self.sampler]
        chosen = dict(self._chosen)
        with self.hold_sync():
            self.about = sampler.description
            self.parameters = [parameter_entry(parameter) for parameter in sampler.parameters]
            self.values = {parameter.name: self._kept(parameter) for parameter in sampler.parameters}
        # Looking at a sampler is no choice: what equals its default there may differ from the next one's.
        self._chosen = chosen

    def _note_choices(self, _change: t.Bunch) -> None:
        for parameter in SAMPLERS[self.sampler].parameters:
            value = self.values.get(parameter.name, parameter.default)
            if value == parameter.default:
                self._chosen.pop(parameter.name, None)
            else:
                self._chosen[parameter.name] = value

    def _kept(self, parameter: Parameter) -> Any:
        """What the reader has chosen for a parameter of that name, if this one can have it."""
        try:
            return parameter.checked(self._chosen.get(parameter.name, parameter.default))
        except SettingError:
            return parameter.default


def _sampler_entry(sampler: Sampler) -> dict[str, Any]:
    hint = f"More samplers with {sampler.library}: pip install 'dgemma-viz[{sampler.library}]'."
    return {"name": sampler.name, "title": sampler.title, "installed": sampler.installed, "hint": hint}
