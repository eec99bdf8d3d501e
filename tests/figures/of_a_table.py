"""Tables that figures are drawn of: computed from runs, or made by hand."""

import numpy as np
import pandas as pd

from dgemma_viz.analysis.accuracy_by import accuracy_by
from dgemma_viz.analysis.calibration import calibration_per_step
from dgemma_viz.analysis.early_answers import early_answers
from dgemma_viz.analysis.emitted_tokens import emitted_tokens
from dgemma_viz.analysis.failure_kinds import failure_kinds
from dgemma_viz.analysis.judged_drafts import pooled_drafts
from dgemma_viz.analysis.parity_tables import COLUMNS
from dgemma_viz.analysis.reliability import reliability_table
from dgemma_viz.analysis.seed_agreement import seed_agreement
from dgemma_viz.labs.sweep.table import NUMBERS

TABLES = {
    "reliability_diagram": lambda runs: reliability_table(pooled_drafts(runs)),
    "calibration_curves": lambda runs: calibration_per_step(pooled_drafts(runs)),
    "accuracy_curve": lambda runs: accuracy_by(emitted_tokens(runs)),
    "answer_curves": early_answers,
    "agreement_bars": seed_agreement,
    "failure_bars": failure_kinds,
}
"""Figures of tables over runs, and how each table is computed from them."""

HEALED = {"runs": 10, "tokens": 10, "healed_low": 0.4, "healed_high": 0.9, "right": 0.5, "spread": 0.1}


def healing_row(sampler, step, errors, healed):
    steps = 2.0 if healed else float("nan")
    return {**HEALED, "sampler": sampler, "step": step, "errors": errors, "healed": healed, "steps_to_heal": steps}


def parity_row(canvas, step, **changed):
    row = dict.fromkeys(COLUMNS, 0.0) | {"canvas": canvas, "step": step, "sample": 0, "positions": 12}
    return row | {"max_drift": 0.5, "smallest_margin": 0.1, "draft_flips": 2} | changed


def pareto_summary(*points, samplers=None):
    rows = []
    for number, (forwards, accuracy) in enumerate(points):
        sampler = (samplers or ["a"] * len(points))[number]
        row = dict.fromkeys(NUMBERS, 0.0) | {"setting": f"{sampler} · x={number}", "sampler": sampler}
        judged = 0 if np.isnan(accuracy) else 10
        row |= {"judged": judged, "runs": 10, "right": round(10 * np.nan_to_num(accuracy)), "accuracy": accuracy}
        row |= {"forwards": forwards, "forwards_low": forwards - 0.5, "forwards_high": forwards + 0.5}
        row |= {"low": max(0, accuracy - 0.2), "high": min(1, accuracy + 0.2), "prompts_low": np.nan}
        row |= {"prompts_high": np.nan, "tokens_per_forward": 2.0, "seconds": 0.1}
        rows.append(row)
    table = pd.DataFrame(rows)
    table.attrs["by"] = ["setting"]
    return table
