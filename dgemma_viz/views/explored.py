"""What a page shows of one trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dgemma_viz.analysis.reference import Reference
from dgemma_viz.diagnosis import Diagnosis, diagnose
from dgemma_viz.figures.heatmap import is_strip
from dgemma_viz.plain_text import visible
from dgemma_viz.trace.inside import Inside
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.views.answer import answer_json, layout_of, steps_taken
from dgemma_viz.views.charts import SCALES, curves_of, looks, quantity_map_of
from dgemma_viz.views.contents import ANSWER, FINDINGS, Contents, Place
from dgemma_viz.views.findings import findings_json
from dgemma_viz.views.insides import insides_json
from dgemma_viz.views.records import Records
from dgemma_viz.views.run_header import header_html
from dgemma_viz.views.words import glossary_html

NO_STEPS = "This trace holds no denoising steps: the run ended before its first step."
ENDED_BEFORE = "Sample {sample} had ended before canvas {canvas}: no denoising step ran for it there."
HINT = "Click a token to inspect it: its alternatives, its history and its numbers."


def explored(
    trace: Trace,
    reference: Reference | None = None,
    diagnosis: Callable[[], Diagnosis] | None = None,
    insides: Sequence[Inside] = (),
) -> Contents:
    """Contents of a page of one trace; ``diagnosis`` gives what was found in it, if somebody has that.

    ``insides`` are of its steps (:func:`dgemma_viz.trace.inside.as_insides.as_insides`) and may become more later: a
    place has those that are there when it is made.

    Making the findings raises a SettingError where the reference is not one, or its function failed.
    """
    found = diagnosis or (lambda: diagnose(trace, reference))
    page = {
        "title": visible(trace.facts.model_id or trace.facts.model_class or "unknown model"),
        "canvases": trace.n_canvases,
        "samples": trace.n_samples,
        "names": ["Token canvas"],
        "runs": [],
        "hint": HINT,
        "heads": [header_html(trace, sample) for sample in range(trace.n_samples)],
        "glossary": glossary_html(),
        "tables": [],
        "firsts": [],
        "layout": layout_of(trace),
        "steps": steps_taken(trace),
        "scales": SCALES,
        "looks": looks(),
        "empty": NO_STEPS,
    }
    parts = {ANSWER: lambda: answer_json(trace), FINDINGS: lambda: findings_json(found())}
    return Contents(page, lambda canvas, sample: _place(trace, canvas, sample, insides), parts)


def canvas_alone(run: CanvasRun, message: str = "") -> Contents:
    """Contents of a page of one canvas and nothing else; ``message`` stands above its tokens."""

    def place(_canvas: int, _sample: int) -> Place:
        records = Records()
        shown = {"runs": [records.add(run, message)], "steps": run.n_steps, "positions": run.canvas_length}
        return shown, records.to_bytes()

    page = {
        "canvases": 1,
        "samples": 1,
        "names": ["Token canvas"],
        "alone": True,
        "layout": layout_of(run.trace),
        "scales": SCALES,
        "looks": looks(),
    }
    return Contents(page, place)


def nothing(message: str) -> dict[str, Any]:
    """A page of nothing but words, or of a run that is still to come."""
    return {"empty": message, "scales": SCALES, "looks": looks()}


def _place(trace: Trace, canvas: int, sample: int, insides: Sequence[Inside]) -> Place:
    run, records = trace.canvas_run(canvas, sample), Records()
    ended = "" if run.n_steps else ENDED_BEFORE.format(sample=sample, canvas=canvas)
    place: dict[str, Any] = {"runs": [records.add(run, ended)], "steps": run.n_steps, "positions": run.canvas_length}
    if run.n_steps:
        place |= {"quantity_map": quantity_map_of(run), "curves": curves_of(run), "strip": is_strip(run)}
        place |= insides_json(insides, run, records)
    return place, records.to_bytes()
