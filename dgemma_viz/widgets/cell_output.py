"""What a viewer leaves in a cell of a notebook: its view, and a picture that stays when there is no kernel any more.

Two outputs, the view first, so that tokens do not wait for the picture (:mod:`dgemma_viz.views.still`). Whoever
opens the notebook without its kernel sees the picture: front ends without widgets, JupyterLab before the cell is
run, and pages made of a notebook, for which the saved state of a widget needs a network. Where the view is drawn, it
takes the picture away (``static/still.js``). Voila always has a kernel, and gets none.

A cell that is run again leaves no viewer behind. It has thrown away what it showed before: viewers which only it
showed are closed when it has run. Which cell that is, front ends say in their request (``cellId``); where they do
not, nothing is closed. A closed viewer that is shown again is opened again
(:meth:`~dgemma_viz.widgets.viewer.Viewer.reopen`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

import ipywidgets
from IPython import get_ipython
from IPython.display import publish_display_data

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer


_NO_VIEW_YET: Final = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .dgs-{picture}):not(:has(.dge)) {{ display: none }}</style>"
)
"""Hides what JupyterLab says of a view that it cannot draw ("model not found"), which the picture follows."""


_ONE_OF_BOTH: Final = (
    "<style>.jp-NotebookPanel .jp-OutputArea-child:has(.{view}) + .jp-OutputArea-child:has(.dgs-{picture}),"
    " .jp-NotebookPanel .jp-OutputArea-child:has(+ .jp-OutputArea-child .dgs-{picture}):not(:has(.{view})),"
    " body:not(:has(.jp-NotebookPanel)) .jp-OutputArea-child:has(+ .jp-OutputArea-child .dgs-{picture})"
    " {{ display: none }}</style>"
)
"""The same for a view without a module of its own: in a notebook the picture goes where the view is drawn; in a page
that was made of one the view goes, whose buttons would do nothing."""


class LeavesPicture(Protocol):
    """A widget that leaves a picture of itself, an element of class ``dgs-`` and the name of the ``picture``."""

    picture: str

    def still(self) -> str:
        """The picture as HTML that needs neither kernel nor JavaScript; empty: none."""


def show_in_cell(viewer: Viewer) -> None:
    """Show the view, and leave the picture."""
    viewer.reopen()
    _show_view(viewer)
    SHOWN.note(viewer)
    leave_still(viewer, before=_NO_VIEW_YET.format(picture=viewer.picture))


def show_box_in_cell(box: LeavesPicture, view: str) -> None:
    """The same for a container of plain controls, in which something has the class ``view`` once it is drawn."""
    _show_view(box)
    leave_still(box, before=_ONE_OF_BOTH.format(picture=box.picture, view=view))


def _show_view(widget: Any) -> None:
    bundle = widget._repr_mimebundle_()
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    publish_display_data({**data, "text/plain": ""}, metadata)


def leave_still(viewer: LeavesPicture, before: str = "") -> None:
    """Put the picture of what a viewer shows into the cell that runs; nothing in Voila, or where there is no run."""
    if not _in_voila() and (still := viewer.still()):
        publish_display_data({"text/html": f"{before}{still}", "text/plain": repr(viewer)})


def _in_voila() -> bool:
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


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
