"""Accuracy against commit step and entropy."""

import numpy as np

from dgemma_viz.analysis.accuracy_by import accuracy_by
from dgemma_viz.analysis.emitted_tokens import emitted_tokens
from dgemma_viz.figures import accuracy_curve
from tests.hurried_runs import hurried_runs


def test_commit_steps_stand_side_by_side_with_their_span():
    table = accuracy_by(emitted_tokens(hurried_runs()))
    figure = accuracy_curve(table)
    counts, bins = figure.data
    assert bins.x.tolist() == list(range(len(table)))
    np.testing.assert_array_equal(bins.y, table["accuracy"])
    np.testing.assert_array_equal(counts.y, table["count"])
    assert figure.layout.xaxis.ticktext[:3] == ("0", "1", "2–3")


def test_entropies_are_logarithmic_and_end_at_a_floor():
    tokens = emitted_tokens(hurried_runs())
    tokens.loc[0, "entropy_at_commit"] = 0.0
    bins = accuracy_curve(accuracy_by(tokens, "entropy_at_commit", 50)).data[1]
    assert np.isfinite(bins.x).all()
    assert bins.x.min() >= -6
    assert "nats · measured" in bins.customdata[0]
