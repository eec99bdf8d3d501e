"""Serving notebooks as dashboards: Voila with our own offline template, a gallery, and bounds that suit strangers."""

from dgemma_viz.serving.notebooks import notebooks_folder
from dgemma_viz.serving.settings import ServeSettings

__all__ = ["ServeSettings", "notebooks_folder"]
