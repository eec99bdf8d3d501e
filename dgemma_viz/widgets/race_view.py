"""A race to watch: the ways of decoding beside each other, played by decoder passes or by wall time.

The frames of :func:`dgemma_viz.figures.race_track` stay in the kernel, so that a slider of ours moves them; each tick
of the player sends the figure with the grid of one of them, a few kilobytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as ipw

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import race_track
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import close_tree, panel

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dgemma_viz.labs.decoding import Race

    Clock = Literal["forwards", "seconds"]

_MILLISECONDS = 150
_PROMPT_SHOWN = 60
_CLOCKS = {"decoder passes": "forwards", "wall time, this machine": "seconds"}


class RaceView(ipw.VBox):  # type: ignore[misc]
    """One prompt of a race, as an animation.

    Parameters
    ----------
    race
        Of :func:`dgemma_viz.labs.decoding.race`.
    clock
        ``"forwards"`` or ``"seconds"``; wall time is that of the bare runs.

    Attributes
    ----------
    prompt, clock
        Choosers; ``clock.value`` is ``"forwards"`` or ``"seconds"``.
    tick
        Slider over the ticks of the clock; the last one shows all ways done.
    now
        Where the race is, in words.
    chart
        The chart.

    Raises
    ------
    SettingError
        The race has no run, or there is no such clock.
    """

    _link: Any = None

    def __init__(self, race: Race, clock: Clock = "forwards") -> None:
        if not race.runs:
            raise SettingError("this race has no run; give it at least one prompt and one way")
        if clock not in _CLOCKS.values():
            raise SettingError(f"there is no clock '{clock}'; choose 'forwards' or 'seconds'")
        self._race = race
        self._frames: Sequence[Any] = ()
        self.prompt = ipw.Dropdown(
            options=[(_cut(prompt), number) for number, prompt in enumerate(race.prompts)],
            description="Prompt",
            layout=ipw.Layout(max_width="100%"),
        )
        self.clock = ipw.Dropdown(options=list(_CLOCKS.items()), value=clock, description="Clock")
        self.player = ipw.Play(interval=_MILLISECONDS, max=1, show_repeat=False, playing=False)
        self.tick = ipw.IntSlider(max=1, readout=False, description="Tick", layout=ipw.Layout(width="min(24rem, 90%)"))
        self.now = ipw.HTML()
        self._link = ipw.jslink((self.player, "value"), (self.tick, "value"))
        self.chart = Chart(self._draw)
        rows = [ipw.Box(those, layout=ipw.Layout(flex_flow="row wrap", align_items="center")) for those in self._rows]
        super().__init__([*rows, panel(self.chart)], layout=ipw.Layout(width="100%", min_width="0"))
        self._to_the_end()
        for chooser in (self.prompt, self.clock):
            chooser.observe(lambda _: self._other_run(), "value")
        self.tick.observe(lambda _: self._show_tick(), "value")

    @property
    def _rows(self) -> list[list[ipw.Widget]]:
        return [[self.prompt, self.clock], [self.player, self.tick, self.now]]

    def close(self) -> None:
        """Close every view."""
        if self._link is not None:
            self._link.unlink()
        close_tree(self, closing=super().close)

    def _draw(self, theme: str) -> go.Figure:
        """The figure of the chosen prompt, without Plotly's own controls, at the tick that is shown."""
        runs = self._race.of(int(self.prompt.value))
        traces = {way: run.trace for way, run in runs.items()}
        seconds = {way: run.seconds for way, run in runs.items()}
        figure = race_track(traces, self.clock.value, seconds, theme=theme)
        self._frames, figure.frames = figure.frames, ()
        figure.layout.sliders, figure.layout.updatemenus = (), ()
        figure.layout.margin.b = 48
        figure.data[0].update(self._frames[min(self.tick.value, len(self._frames) - 1)].data[0].to_plotly_json())
        return figure

    def _other_run(self) -> None:
        self.player.playing = False
        self.chart.redraw()
        self._to_the_end()

    def _to_the_end(self) -> None:
        last = len(self._frames) - 1
        for control in (self.player, self.tick):
            control.max = last
            control.value = last
        self._show_tick()

    def _show_tick(self) -> None:
        frame = self._frames[min(self.tick.value, len(self._frames) - 1)]
        unit = "decoder passes" if self.clock.value == "forwards" else "ms"
        self.now.value = f"after {frame.name} {unit} · measured"
        now = frame.data[0]
        self.chart.figure.data[0].update(z=now.z, text=now.text, customdata=now.customdata)
        self.chart.show(self.chart.figure)


def _cut(prompt: str) -> str:
    return isolated(" ".join(visible(prompt, _PROMPT_SHOWN).split()))
