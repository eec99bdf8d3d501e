"""Figures as pictures, PNG, SVG or PDF, in Plotly's own way: with Kaleido, an optional package that drives a Chrome."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgemma_viz import figures
from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.html import check_target, shown_traces
from dgemma_viz.write_whole import write_whole

if TYPE_CHECKING:
    import plotly.graph_objects as go

PICTURES = (".png", ".svg", ".pdf")
"""Endings of :func:`export_picture`."""
_MOST_PIXELS = 20_000


def export_picture(
    what: Any,
    path: str | os.PathLike[str],
    figure: str = "",
    *,
    width: int | None = None,
    height: int | None = None,
    scale: float = 1.0,
    **options: Any,
) -> Path:
    """Write one figure of a trace, or of two compared, as ``.png``, ``.svg`` or ``.pdf``, told by the ending.

    Parameters
    ----------
    what
        As for :func:`dgemma_viz.export_html`.
    path
        File to write; one that is there is replaced.
    figure
        Name of a function of :mod:`dgemma_viz.figures` that draws one trace, or two: :func:`names_of_figures`. Empty:
        ``heatmap``, or ``difference_map`` of two.
    width, height
        Pixels of the layout; None takes the figure's own height, and Plotly's width of 700.
    scale
        Pixels of a PNG for each of them.
    options
        The figure's own, such as ``canvas``, ``sample``, ``step``, ``position``, ``quantity`` and ``theme``.

    Raises
    ------
    MissingDependencyError
        Kaleido is not installed, or finds no browser that starts.
    SettingError, TraceError
        Another ending, no such figure, something that it does not take or that is not there, a size outside its range,
        or a file that cannot be written or read.
    """
    target = check_target(path)
    ending = target.suffix.lower()
    if ending not in PICTURES:
        raise SettingError(f"'{target}' cannot be written as a picture; give a name that ends in {', '.join(PICTURES)}")
    for name, pixels in (("width", width), ("height", height)):
        if pixels is not None and not 50 <= pixels * scale <= _MOST_PIXELS:  # noqa: PLR2004
            raise SettingError(f"{name} is {pixels} at scale {scale:g}; it must come to 50 to {_MOST_PIXELS} pixels")
    shown = shown_traces(what)
    traces = shown.traces if isinstance(shown, TracePair) else (shown,)
    drawn = _figure_named(figure, len(traces), options)(*traces, **options)
    write_whole(target, _rendered(drawn, format=ending[1:], width=width, height=height, scale=scale))
    return target


def names_of_figures(n_traces: int = 1) -> list[str]:
    """Figures that draw one trace, or two."""
    first = {1: ["trace"], 2: ["trace_a", "trace_b"]}[n_traces]
    return [name for name in figures.__all__ if list(_parameters(name))[:n_traces] == first]


def _parameters(name: str) -> list[str]:
    return list(inspect.signature(getattr(figures, name)).parameters)


def _figure_named(name: str, n_traces: int, options: dict[str, Any]) -> Callable[..., go.Figure]:
    name = name or ("heatmap", "difference_map")[n_traces - 1]
    names = names_of_figures(n_traces)
    if name not in names:
        many = "one trace" if n_traces == 1 else "two traces"
        raise SettingError(f"'{name}' is not a figure of {many}; choose from {', '.join(names)}")
    taken = _parameters(name)[n_traces:]
    if foreign := sorted(set(options) - set(taken)):
        raise SettingError(f"'{name}' takes no {foreign[0].replace('_', ' ')}; it takes {', '.join(taken)}")
    figure: Callable[..., go.Figure] = getattr(figures, name)
    return figure


def _rendered(figure: go.Figure, **how: Any) -> bytes:
    try:
        import kaleido  # noqa: F401 - Plotly asks for it with a longer message
    except ImportError as error:
        raise MissingDependencyError(
            "pictures of figures are drawn with Kaleido: pip install 'dgemma-viz[images]'"
        ) from error
    try:
        picture: bytes = figure.to_image(**how)
    except RuntimeError as error:  # no browser, one that does not start, or one that fails
        said = " ".join(map(str, error.args)).strip().splitlines()
        raise MissingDependencyError(
            "the picture needs Chrome or Chromium, which Kaleido drives: install one, or set BROWSER_PATH to its path "
            f"({said[0] if said else 'it failed'})"
        ) from error
    return picture
