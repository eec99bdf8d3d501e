"""Serving notebooks as dashboards: Voila with our own offline template."""

from dgemma_viz.serving.notebooks import notebooks_folder
from dgemma_viz.serving.server import ServeOptions, serve

__all__ = ["ServeOptions", "notebooks_folder", "serve"]
