"""The same canvases through another model: :func:`parity`. Importing this package imports no torch; running does."""

from dgemma_viz.labs.parity.parity import parity

__all__ = ["parity"]
