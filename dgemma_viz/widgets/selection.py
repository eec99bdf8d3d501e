"""The one small selection that links every view: what canvas, sample, step, position and quantity are looked at."""

from __future__ import annotations

import traitlets as t

from dgemma_viz.widgets.token_canvas import QUANTITIES


class Selection(t.HasTraits):  # type: ignore[misc]
    """What is looked at. Views observe it and set it; they never talk to each other.

    Attributes
    ----------
    canvas, sample
        Counted from 0.
    step
        Denoising step within the canvas, from 0.
    position
        Position within the canvas, or -1 for none.
    quantity
        What colour stands for; one of :data:`~dgemma_viz.widgets.token_canvas.QUANTITIES`.
    """

    canvas = t.Int(0, min=0)
    sample = t.Int(0, min=0)
    step = t.Int(0, min=0)
    position = t.Int(-1, min=-1)
    quantity = t.Enum(QUANTITIES, "confidence")
