"""What an exported page of two traces holds: everything that :func:`dgemma_viz.compare` shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.export.charts import for_both_looks, looks
from dgemma_viz.export.records import Records
from dgemma_viz.figures.compared_curves import compared_curves
from dgemma_viz.figures.difference_map import difference_map
from dgemma_viz.figures.run_pair import A, B
from dgemma_viz.widgets.compared_position import HINT
from dgemma_viz.widgets.comparison import as_wide
from dgemma_viz.widgets.comparison_head import first_difference_html, run_heading_html, table_html
from dgemma_viz.widgets.explorer import NO_STEPS
from dgemma_viz.widgets.token_canvas import SCALES
from dgemma_viz.widgets.words import glossary_html

if TYPE_CHECKING:
    from dgemma_viz.analysis.comparison import TracePair
    from dgemma_viz.analysis.divergence import Divergence
    from dgemma_viz.analysis.reference import Reference


def compared(pair: TracePair, reference: Reference | None = None) -> tuple[dict[str, Any], bytes]:
    """Contents of the page as JSON values, and the records that they point into.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    records, samples = Records(2), range(pair.n_samples)
    firsts = [divergence_of(pair, sample) for sample in samples]
    places = {
        f"{canvas},{sample}": _place(pair, canvas, sample, records)
        for canvas in range(pair.n_canvases)
        for sample in samples
    }
    contents = {
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
        "findings": None,
        "places": places,
        "traces": [records.words(trace, number) for number, trace in enumerate(pair.traces)],
        "scales": SCALES,
        "looks": looks(),
        "empty": NO_STEPS,
    }
    return contents, records.to_bytes()


def _place(pair: TracePair, canvas: int, sample: int, records: Records) -> dict[str, Any]:
    found, runs = pair.differences(canvas, sample), []
    for number, (run, style) in enumerate(zip(pair.runs(canvas, sample), (A, B), strict=True)):
        shown = None
        if run is not None:
            differing = as_wide(found.draft, run.canvas_length) if found.common and run.n_steps else None
            missing = "" if run.n_steps else f"Run {style.name} has no denoising steps here."
            shown = records.add(run, missing, differing, trace=number)
        runs.append({"run": shown, "heading": run_heading_html(pair, style, sample)})
    steps, positions = found.draft.shape if found.common else (0, 0)
    a, b = pair.traces
    return {
        "runs": [one["run"] for one in runs],
        "headings": [one["heading"] for one in runs],
        "steps": pair.n_steps(canvas, sample),
        "map_size": [steps, positions],
        "positions": pair.positions,
        "map": for_both_looks(lambda look: difference_map(a, b, canvas, sample, theme=look)),
        "curves": for_both_looks(lambda look: compared_curves(a, b, canvas, sample, theme=look)),
    }


def _first(first: Divergence | None) -> dict[str, Any] | None:
    if first is None:
        return None
    return {"canvas": first.canvas, "step": first.step, "positions": [int(p) for p in first.positions]}
