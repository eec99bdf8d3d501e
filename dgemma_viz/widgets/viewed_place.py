"""What is looked at in a viewer: a few named values, which Python and the browser set and observe alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets as t

from dgemma_viz.diagnosis import Diagnosis
from dgemma_viz.errors import SettingError
from dgemma_viz.views.charts import LAYOUTS, QUANTITIES, SHOWS
from dgemma_viz.widgets.plotly_bundle import DrawsWithPlotly

PLACE = ("sample", "canvas", "step", "position", "quantity", "shows", "token_layout")
"""Traits that make up a place, in the order in which they are set."""
_CHOICES = {"quantity": QUANTITIES, "shows": SHOWS, "token_layout": LAYOUTS}
FROM = {"canvas": 0, "sample": 0, "step": 0, "position": -1, "finding": -1}
"""Lowest values; -1 stands for none."""


class ViewedPlace(DrawsWithPlotly):
    """A view of runs, at a place in them; what there is to go to, its subclass says.

    Attributes
    ----------
    canvas, sample, step, position, quantity, shows, token_layout, playing, finding
        See :class:`~dgemma_viz.widgets.viewer.Viewer`.
    followed
        Whether somebody in Python observes step or position, so that the browser tells each one at once.
    spoken_of
        Number of the page of which the browser has spoken last; 0 before it has.
    """

    canvas = t.Int(0).tag(sync=True)
    sample = t.Int(0).tag(sync=True)
    step = t.Int(0).tag(sync=True)
    position = t.Int(-1).tag(sync=True)
    quantity = t.Enum(QUANTITIES, "confidence").tag(sync=True)
    shows = t.Enum(SHOWS, "draft").tag(sync=True)
    token_layout = t.Enum(LAYOUTS, "auto").tag(sync=True)
    playing = t.Bool(False).tag(sync=True)
    finding = t.Int(-1).tag(sync=True)
    followed = t.Bool(False).tag(sync=True)
    spoken_of = t.Int(0).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._from_page = self._opening = False
        self._followers = 0
        super().__init__(**traits)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The findings that can be chosen."""
        raise NotImplementedError

    @property
    def number(self) -> int:
        """Number of the page that is shown."""
        raise NotImplementedError

    def highest(self, name: str) -> int:
        """Highest value of a part of the place, of what is shown."""
        raise NotImplementedError

    @property
    def place(self) -> dict[str, Any]:
        """Where one is: sample, canvas, step, position, quantity, text and layout; set it to go there."""
        return {name: getattr(self, name) for name in PLACE}

    @place.setter
    def place(self, place: Mapping[str, Any]) -> None:
        self.go(**place)

    def go(self, **place: Any) -> None:
        """Go to a place in one move; what is not named stays, but for step and position on another canvas.

        Raises
        ------
        SettingError
            There is no such canvas, sample, step or position, or no such name.
        """
        if unknown := sorted(set(place) - set(PLACE)):
            raise SettingError(f"a place has no '{unknown[0]}'; it has {', '.join(PLACE)}")
        before = self.place
        with self.hold_sync():
            try:
                for name in PLACE:
                    if name in place:
                        self._set(name, place[name])
            except SettingError:
                for name, value in before.items():
                    setattr(self, name, value)
                raise

    def _set(self, name: str, value: Any) -> None:
        try:
            setattr(self, name, value)
        except t.TraitError as error:
            words = f"; choose from {', '.join(_CHOICES[name])}" if name in _CHOICES else "; it is a whole number"
            raise SettingError(f"there is no {name} {value!r}{words}") from error

    def _begin_at(self, kept: Mapping[str, int]) -> None:
        """The lowest values, but for what is kept as far as it is there; what stays is no change for who observes."""
        self._opening = True
        try:
            for name, lowest in FROM.items():
                setattr(self, name, max(lowest, min(kept[name], self.highest(name))) if name in kept else lowest)
        finally:
            self._opening = False

    def observe(self, handler: Any, names: Any = t.All, type: Any = "change") -> None:  # noqa: A002 - traitlets' name
        """Call ``handler`` on changes; where it follows step or position, the browser tells each one at once."""
        super().observe(handler, names, type)
        self._follow(names, 1)

    def unobserve(self, handler: Any, names: Any = t.All, type: Any = "change") -> None:  # noqa: A002
        """No longer call ``handler``."""
        super().unobserve(handler, names, type)
        self._follow(names, -1)

    def _follow(self, names: Any, more: int) -> None:
        if names is t.All or {"step", "position"} & set([names] if isinstance(names, str) else names):
            self._followers = max(0, self._followers + more)
            self.followed = self._followers > 0

    def set_state(self, sync_data: Any) -> None:
        """Take what the browser says: it has seen to what belongs together.

        While a kernel is busy, what the browser says waits, and may speak of a page that is no longer shown. Then what
        is looked at stays, and is the answer: until that comes, the browser takes no other value.
        """
        late = sync_data.get("spoken_of", self.spoken_of) not in {0, self.number}
        stays = {name: getattr(self, name) for name in (*FROM, "playing") if late and name in sync_data}
        self._from_page = True
        try:
            super().set_state({**sync_data, **stays})
        finally:
            self._from_page = False

    @t.validate(*FROM)  # type: ignore[untyped-decorator]
    def _there(self, proposal: Any) -> int:
        """Only what is there can be chosen; the browser chooses from that anyway."""
        name, value = proposal["trait"].name, int(proposal["value"])
        if self._opening or self._from_page:
            return value
        if not FROM[name] <= value <= self.highest(name):
            raise SettingError(f"there is no {name} {value} here; choose from {FROM[name]} to {self.highest(name)}")
        return value

    @t.observe("canvas", "sample")  # type: ignore[untyped-decorator]
    def _run_chosen(self, change: Any) -> None:
        """Another canvas starts at its first step, nothing pinned; another sample keeps both as far as it has them."""
        if self._opening or self._from_page:
            return
        other_canvas = change["name"] == "canvas"
        with self.hold_sync():
            self.step = 0 if other_canvas else max(0, min(self.step, self.highest("step")))
            self.position = -1 if other_canvas else min(self.position, self.highest("position"))

    @t.observe("finding")  # type: ignore[untyped-decorator]
    def _finding_chosen(self, change: Any) -> None:
        """Go where the chosen finding points; what it does not name stays as it is."""
        if self._opening or self._from_page or self.diagnosis is None or change["new"] < 0:
            return
        finding = self.diagnosis.findings[change["new"]]
        place = {"sample": finding.sample, "canvas": finding.canvas, "step": finding.step}
        if finding.positions:
            place["position"] = int(finding.positions[0])
        self.go(**{name: value for name, value in place.items() if value is not None})
