"""What a viewer leaves in a cell of a notebook: its view, and a picture that stays when there is no kernel any more.

Two outputs, the view first, so that tokens do not wait for the picture (:mod:`dgemma_viz.views.still`). Whoever opens
the notebook without its kernel sees the picture: front ends without widgets, JupyterLab before the cell is run, and
pages made of a notebook, for which the saved state of a widget needs a network. Where the view is drawn, it takes the
picture away (``static/still.js``). Voila always has a kernel, and gets none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from IPython.display import publish_display_data

from dgemma_viz.widgets.shown_in_cells import SHOWN

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer

_NO_VIEW_YET: Final = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .dgs-{picture}):not(:has(.dge)) {{ display: none }}</style>"
)
"""Hides what JupyterLab says of a view that it cannot draw ("model not found"), which the picture follows."""


def show_in_cell(viewer: Viewer) -> None:
    """Show the view, and leave the picture."""
    viewer.reopen()
    bundle = viewer._repr_mimebundle_()
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    publish_display_data({**data, "text/plain": ""}, metadata)
    SHOWN.note(viewer)
    leave_still(viewer, before=_NO_VIEW_YET.format(picture=viewer.picture))


def leave_still(viewer: Viewer, before: str = "") -> None:
    """Put the picture of what a viewer shows into the cell that runs; nothing in Voila, or where there is no run."""
    if not _in_voila() and (still := viewer.still()):
        publish_display_data({"text/html": f"{before}{still}", "text/plain": repr(viewer)})


def _in_voila() -> bool:
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
