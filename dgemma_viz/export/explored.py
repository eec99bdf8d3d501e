"""What an exported page of one trace holds: everything that :func:`dgemma_viz.explore` shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.diagnosis import diagnose
from dgemma_viz.export.charts import curves_of, looks, maps_of
from dgemma_viz.export.records import Records
from dgemma_viz.figures.heatmap import is_strip
from dgemma_viz.plain_text import visible
from dgemma_viz.widgets.explorer import ENDED_BEFORE, NO_STEPS
from dgemma_viz.widgets.findings_list import entry_of, remark_of, summary
from dgemma_viz.widgets.inspector import HINT
from dgemma_viz.widgets.position_rows import row_term, rows_of
from dgemma_viz.widgets.run_header import header_html
from dgemma_viz.widgets.token_canvas import SCALES
from dgemma_viz.widgets.words import glossary_html

if TYPE_CHECKING:
    from dgemma_viz.analysis.reference import Reference
    from dgemma_viz.diagnosis import Diagnosis
    from dgemma_viz.trace.model import Trace


def explored(trace: Trace, reference: Reference | None = None) -> tuple[dict[str, Any], bytes]:
    """Contents of the page as JSON values, and the records that they point into.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    records = Records(1)
    places = {
        f"{canvas},{sample}": _place(trace, canvas, sample, records)
        for canvas in range(trace.n_canvases)
        for sample in range(trace.n_samples)
    }
    contents = {
        "title": visible(trace.facts.model_id or trace.facts.model_class or "unknown model"),
        "canvases": trace.n_canvases,
        "samples": trace.n_samples,
        "names": ["Token canvas"],
        "hint": HINT,
        "heads": [header_html(trace, sample) for sample in range(trace.n_samples)],
        "glossary": glossary_html(),
        "terms": _terms(trace),
        "tables": [],
        "firsts": [],
        "findings": _findings(diagnose(trace, reference)),
        "places": places,
        "traces": [records.words(trace)],
        "scales": SCALES,
        "looks": looks(),
        "empty": NO_STEPS,
    }
    return contents, records.to_bytes()


def _terms(trace: Trace) -> dict[str, str]:
    """The rows of the inspector by name, as HTML that opens the meaning of each."""
    runs = (trace.canvas_run(canvas, sample) for canvas in range(trace.n_canvases) for sample in range(trace.n_samples))
    names = dict.fromkeys(row.name for run in runs for row in rows_of(run))
    return {name: row_term(name) for name in names}


def _place(trace: Trace, canvas: int, sample: int, records: Records) -> dict[str, Any]:
    run = trace.canvas_run(canvas, sample)
    ended = "" if run.n_steps else ENDED_BEFORE.format(sample=sample, canvas=canvas)
    place = {"runs": [records.add(run, ended)], "steps": run.n_steps, "positions": run.canvas_length}
    return place | ({"maps": maps_of(run), "curves": curves_of(run), "strip": is_strip(run)} if run.n_steps else {})


def _findings(diagnosis: Diagnosis) -> dict[str, Any]:
    trace, found = diagnosis.trace, diagnosis.findings
    return {
        "entries": [entry_of(one, samples=trace.n_samples, canvases=trace.n_canvases) for one in found],
        "summary": summary(found),
        "remark": remark_of(diagnosis),
        "places": [
            {"sample": one.sample, "canvas": one.canvas, "step": one.step, "positions": [int(p) for p in one.positions]}
            for one in found
        ],
    }
