"""Widgets for Jupyter and Voila: the viewer, and the panels of the labs; state and wiring only."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
"""Front-end modules and style sheets that only these widgets need."""
