"""What a page shows of two traces compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.divergence import Divergence, divergence_of
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.figures.compared_curves import compared_curves
from dgemma_viz.figures.difference_map import difference_map
from dgemma_viz.figures.marks import A, B
from dgemma_viz.views.answer import layout_of
from dgemma_viz.views.charts import SCALES, for_both_looks, looks
from dgemma_viz.views.comparison_head import first_difference_html, run_heading_html, table_html
from dgemma_viz.views.contents import Contents, Place
from dgemma_viz.views.explored import NO_STEPS
from dgemma_viz.views.records import Records
from dgemma_viz.views.words import glossary_html

HINT = "Click a token in either canvas, or a cell of the map, to compare the runs there."
_NO_RUN = "Run {name} has no denoising steps of sample {sample} on canvas {canvas}."


def compared(pair: TracePair, reference: Reference | None = None) -> Contents:
    """Contents of a page of two traces.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    samples = range(pair.n_samples)
    firsts = [divergence_of(pair, sample) for sample in samples]
    page = {
        "title": "Two runs compared",
        "canvases": pair.n_canvases,
        "samples": pair.n_samples,
        "names": [f"Token canvas of run {run.name}" for run in (A, B)],
        "runs": [{"name": run.name, "glyph": run.glyph} for run in (A, B)],
        "hint": HINT,
        "heads": [first_difference_html(pair, first, sample) for sample, first in enumerate(firsts)],
        "glossary": glossary_html(),
        "tables": [table_html(pair, reference, sample) for sample in samples],
        "firsts": [_first(first) for first in firsts],
        "layout": "reading" if "reading" in map(layout_of, pair.traces) else "grid",
        "scales": SCALES,
        "looks": looks(),
        "empty": NO_STEPS,
    }
    return Contents(page, lambda canvas, sample: _place(pair, canvas, sample))


def _place(pair: TracePair, canvas: int, sample: int) -> Place:
    found, records, runs = pair.differences(canvas, sample), Records(), []
    for run, style in zip(pair.runs(canvas, sample), (A, B), strict=True):
        missing = _NO_RUN.format(name=style.name, sample=sample, canvas=canvas)
        shown = None
        if run is not None:
            differing = _as_wide(found.draft, run.canvas_length) if found.common and run.n_steps else None
            shown = records.add(run, "" if run.n_steps else missing, differing)
        runs.append({"run": shown, "heading": run_heading_html(pair, style, sample), "missing": missing})
    steps, positions = found.draft.shape if found.common else (0, 0)
    a, b = pair.traces
    place: dict[str, Any] = {
        "runs": [one["run"] for one in runs],
        "missing": [one["missing"] for one in runs],
        "headings": [one["heading"] for one in runs],
        "steps": pair.n_steps(canvas, sample),
        "map_size": [steps, positions],
        "positions": pair.positions,
        "map": for_both_looks(lambda look: difference_map(a, b, canvas, sample, theme=look)),
        "curves": for_both_looks(lambda look: compared_curves(a, b, canvas, sample, theme=look)),
    }
    return place, records.to_bytes()


def _first(first: Divergence | None) -> dict[str, Any] | None:
    if first is None:
        return None
    return {"canvas": first.canvas, "step": first.step, "positions": [int(p) for p in first.positions]}


def _as_wide(differing: npt.NDArray[np.bool_], positions: int) -> npt.NDArray[np.bool_]:
    """Marks ``(T, C)`` for a canvas of more positions than were compared."""
    return np.pad(differing, ((0, 0), (0, positions - differing.shape[1])))
