"""The speed lab: pick a device, a format and the work, and see what the three ways of decoding make of it.

Everything here is modelled by :mod:`dgemma_viz.costs`, and says so; how far the model is to be trusted stands on the
same page. State and wiring only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from dgemma_viz.costs import Scenario
from dgemma_viz.costs.hardware import this_machine
from dgemma_viz.costs.scenario import WAY_NAMES, WayName
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import answer_times, roofline, speeds_by_batch
from dgemma_viz.views.modules import style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import alert, close_tree, columns, panel
from dgemma_viz.widgets.settings_form import SettingsForm
from dgemma_viz.widgets.speed_settings import groups_for, known_machines, scenario_of
from dgemma_viz.widgets.speed_table import WAY_TITLES, crossings, hardware_table, speed_table, validation_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LONGEST = 4
"""Canvases that the chart of times reaches at least."""


class SpeedLab(ipw.VBox):  # type: ignore[misc]
    """Settings, the speeds that follow, three charts, and the model beside published measurements.

    Attributes
    ----------
    settings
        The form; its ``values`` may be set from code.
    scenario
        What is shown.
    """

    def __init__(self, **values: Any) -> None:
        self._measure = BackgroundJob(self._measure_here, tooltip="Copy and multiply for a second on this machine")
        self._machines = known_machines()
        self.settings = SettingsForm(groups_for(self._machines), "Device, work and ways of decoding")
        self.settings.values = {**self.settings.values, **values}
        self.scenario: Scenario = scenario_of(self.settings.checked(), self._machines)
        self._told, self._crossings, self._trouble = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self._devices = ipw.HTML()
        self._charts = [Chart(draw) for draw in (self._times, self._rates, self._roof)]
        self._measure.run_button.description = "Measure this machine"
        self._measure.run_button.layout.width = "auto"
        style = ipw.HTML(f"<style>{style_sheets('speed_lab.css', folder=STATIC)}</style>")
        wide = ipw.Layout(width="100%", min_width="0", grid_gap="8px")
        asked = ipw.VBox(
            [self.settings, self._measure.run_button, self._measure.status_line], layout=ipw.Layout(min_width="0")
        )
        times, rates, roof = map(panel, self._charts)
        answers = ipw.VBox([self._trouble, self._told, self._crossings, times], layout=ipw.Layout(min_width="0"))
        parts = [
            style,
            columns(asked, answers, narrowest="480px"),
            columns(rates, roof, narrowest="420px"),
            ipw.HTML(str(validation_table())),
            self._devices,
        ]
        super().__init__(parts, layout=wide)
        self.add_class("dgv-speed-lab")
        self._show()
        self.settings.observe(lambda _: self._changed(), "values")

    def close(self) -> None:
        """Close every view."""
        self._measure.stop()
        self._measure.wait()
        close_tree(self, closing=super().close)

    def measure(self) -> None:
        """Measure this machine, in the background; it is chosen when it is known."""
        self._measure.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the measurement has ended."""
        self._measure.wait(timeout)

    # -- wiring --------------------------------------------------------------------------------------------------

    def _measure_here(self) -> None:
        found = this_machine()
        self._machines["this machine"] = found
        self.settings.offer(groups_for(self._machines))
        self.settings.values = {**self.settings.values, "hardware": "this machine", "weights": "Q4_K_M"}
        self._measure.say(
            f"{found.name}: copies {found.bandwidth:.3g} GB/s, multiplies {found.bf16:.3g} TFLOP/s in FP32 · measured. "
            "The efficiency factors are still those of large GPUs."
        )

    def _changed(self) -> None:
        try:
            self.scenario = scenario_of(self.settings.checked(), self._machines)
        except SettingError as error:
            self._trouble.value = alert(f"{error}. Shown is what was set before.")
            return
        self._trouble.value = ""
        self._show()

    def _show(self) -> None:
        self._told.value, self._crossings.value = str(speed_table(self.scenario)), str(crossings(self.scenario))
        self._devices.value = str(hardware_table(self._machines))
        for chart in self._charts:
            chart.redraw()

    @property
    def _fitting(self) -> list[WayName]:
        """Ways whose users fit into the device's memory."""
        return [way for way in WAY_NAMES if self.scenario.fits(way)]

    # -- charts --------------------------------------------------------------------------------------------------

    def _times(self, theme: str) -> go.Figure:
        speeds = {WAY_TITLES[way]: self.scenario.speed(way, padded=False) for way in self._fitting}
        return answer_times(speeds, max(self.scenario.answer, _LONGEST * self.scenario.shape.canvas), theme)

    def _rates(self, theme: str) -> go.Figure:
        usual, low, high = (
            {WAY_TITLES[way]: those for way, those in speeds.items()}
            for speeds in (self.scenario.by_batch(), *self.scenario.batch_range())
        )
        return speeds_by_batch(usual, theme, between=(low, high))

    def _roof(self, theme: str) -> go.Figure:
        passes = {WAY_TITLES[way]: self.scenario.one_pass(way) for way in self._fitting}
        return roofline(self.scenario.hardware, self.scenario.weights, passes, theme)
