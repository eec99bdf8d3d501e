"""Figures: trace or table in, :class:`plotly.graph_objects.Figure` out. Pure functions; no ipywidgets, no torch.

One figure a module, named after it. What they share: quantities and their colours (:mod:`.quantities`,
:mod:`.colour_scales`), marks (:mod:`.marks`), themes (:mod:`.theme`), token texts (:mod:`.token_text`) and the shapes
that show a selection (:mod:`.markers`).
"""

from dgemma_viz.figures.accepted_by_bound import accepted_by_bound
from dgemma_viz.figures.accuracy_curve import accuracy_curve
from dgemma_viz.figures.agreement_bars import agreement_bars
from dgemma_viz.figures.alternatives import alternatives
from dgemma_viz.figures.answer_curves import answer_curves
from dgemma_viz.figures.answer_times import answer_times
from dgemma_viz.figures.architecture import architecture
from dgemma_viz.figures.attention_map import attention_map
from dgemma_viz.figures.calibration_curves import calibration_curves
from dgemma_viz.figures.commit_order import commit_order
from dgemma_viz.figures.compared_curves import compared_curves
from dgemma_viz.figures.curves import curves
from dgemma_viz.figures.difference_map import difference_map
from dgemma_viz.figures.entropy_budget import entropy_budget
from dgemma_viz.figures.error_spread import error_spread
from dgemma_viz.figures.failure_bars import failure_bars
from dgemma_viz.figures.healing_curves import healing_curves
from dgemma_viz.figures.heatmap import heatmap
from dgemma_viz.figures.lens_map import lens_map
from dgemma_viz.figures.measured_times import measured_times
from dgemma_viz.figures.pareto import pareto
from dgemma_viz.figures.parity_drift import parity_drift
from dgemma_viz.figures.position_history import position_history
from dgemma_viz.figures.race_bars import race_bars
from dgemma_viz.figures.race_track import race_track
from dgemma_viz.figures.read_from import read_from
from dgemma_viz.figures.reliability_diagram import reliability_diagram
from dgemma_viz.figures.roofline import roofline
from dgemma_viz.figures.run_alignment import run_alignment
from dgemma_viz.figures.speeds_by_batch import speeds_by_batch
from dgemma_viz.figures.token_canvas import token_canvas

__all__ = [
    "accepted_by_bound",
    "accuracy_curve",
    "agreement_bars",
    "alternatives",
    "answer_curves",
    "answer_times",
    "architecture",
    "attention_map",
    "calibration_curves",
    "commit_order",
    "compared_curves",
    "curves",
    "difference_map",
    "entropy_budget",
    "error_spread",
    "failure_bars",
    "healing_curves",
    "heatmap",
    "lens_map",
    "measured_times",
    "pareto",
    "parity_drift",
    "position_history",
    "race_bars",
    "race_track",
    "read_from",
    "reliability_diagram",
    "roofline",
    "run_alignment",
    "speeds_by_batch",
    "token_canvas",
]
