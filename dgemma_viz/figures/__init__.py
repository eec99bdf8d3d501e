"""Figures: trace in, :class:`plotly.graph_objects.Figure` out. Pure functions; no ipywidgets, no torch.

One figure a module, named after it. What they share: quantities and their colours (:mod:`.quantities`,
:mod:`.colour_scales`), marks (:mod:`.marks`), themes (:mod:`.theme`), token texts (:mod:`.token_text`) and the shapes
that show a selection (:mod:`.markers`).
"""

from dgemma_viz.figures.alternatives import alternatives
from dgemma_viz.figures.commit_order import commit_order
from dgemma_viz.figures.curves import curves
from dgemma_viz.figures.heatmap import heatmap
from dgemma_viz.figures.position_history import position_history
from dgemma_viz.figures.token_canvas import token_canvas

__all__ = ["alternatives", "commit_order", "curves", "heatmap", "position_history", "token_canvas"]
