"""Which cells show which viewers, so that a cell that is run again leaves none behind.

It has thrown away what it showed before: viewers which only it showed are closed when it has run. Which cell that is,
front ends say in their request (``cellId``); where they do not, nothing is closed. A closed viewer that is shown again
is opened again (:meth:`~dgemma_viz.widgets.viewer.Viewer.reopen`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import ipywidgets
from IPython import get_ipython

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer


@dataclass
class _Cell:
    """The viewers that a cell shows since it ran last, and those from before that may have to go."""

    request: str = ""
    viewers: list[Viewer] = field(default_factory=list)
    before: list[Viewer] = field(default_factory=list)

    def run(self, request: str) -> None:
        if request != self.request:
            self.request, self.viewers, self.before = request, [], self.viewers


class ShownInCells:
    """Which viewers are shown where, as far as the front end says."""

    def __init__(self) -> None:
        self._cells: dict[str, _Cell] = {}
        self._elsewhere: WeakSet[Viewer] = WeakSet()
        self._shell: Any = None

    def note(self, viewer: Viewer) -> None:
        """A viewer is shown, by the cell that runs."""
        cell, request = _running()
        if not cell:
            self._elsewhere.add(viewer)
            return
        if self._shell is None:
            self._shell = get_ipython()
            self._shell.events.register("post_run_cell", self._cell_has_run)
        shown = self._cells.setdefault(cell, _Cell())
        shown.run(request)
        shown.viewers.append(viewer)

    def _cell_has_run(self, *_result: object) -> None:
        cell, request = _running()
        if cell not in self._cells:
            return
        shown = self._cells[cell]
        shown.run(request)
        gone, shown.before = shown.before, []
        if not shown.viewers:
            del self._cells[cell]
        for viewer in gone:
            if not self._is_shown(viewer):
                viewer.close()

    def _is_shown(self, viewer: Viewer) -> bool:
        by_cells: Iterable[Viewer] = (one for cell in self._cells.values() for one in cell.viewers)
        return viewer in self._elsewhere or any(one is viewer for one in by_cells) or _in_a_box(viewer)


SHOWN = ShownInCells()
"""Of this kernel."""


def _running() -> tuple[str, str]:
    """Id of the cell that runs, or nothing, and of the request to run it."""
    request: dict[str, Any] = getattr(get_ipython(), "get_parent", dict)()
    return request.get("metadata", {}).get("cellId", ""), request.get("header", {}).get("msg_id", "")


def _in_a_box(viewer: Viewer) -> bool:
    """Whether a container of somebody else's holds it: that may be shown anywhere."""
    boxes = (one for one in ipywidgets.widgets.widget._instances.values() if one is not viewer.own_box)
    return any(child is viewer for box in boxes for child in getattr(box, "children", ()))
