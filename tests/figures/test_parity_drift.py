"""Drift and flips of two models by step."""

import numpy as np
import pandas as pd
import pytest

from dgemma_viz.analysis.parity_tables import COLUMNS
from dgemma_viz.figures import parity_drift
from tests.figures.of_a_table import parity_row


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_samples_of_a_step_are_taken_together(theme):
    rows = [parity_row(0, 0), parity_row(0, 0, sample=1, max_drift=2.0, smallest_margin=0.01, draft_flips=3)]
    figure = parity_drift(pd.DataFrame([*rows, parity_row(0, 1), parity_row(1, 0)]), theme)
    lines = {trace.name: trace for trace in figure.data}
    assert lines["largest drift"].customdata.tolist() == [2.0, 0.5, 0.5]
    assert lines["A's smallest margin"].customdata.tolist() == [0.01, 0.1, 0.1]
    assert lines["drafts"].customdata.tolist() == [5, 2, 2]
    assert "3 steps of 2 canvases; 9 of 48 drafts flip" in figure.layout.title.subtitle.text


def test_what_is_not_known_is_a_gap_and_no_zero():
    figure = parity_drift(pd.DataFrame([parity_row(0, 0, candidate_flips=np.nan, max_drift=np.nan)]))
    names = [trace.name for trace in figure.data]
    assert "largest drift: not known without the recorded model" in names
    assert "candidates: not known without the recorded noise or rule" in names
    assert np.isnan(figure.data[names.index("candidates")].customdata).all()


def test_without_steps_there_is_a_plain_message():
    assert not parity_drift(pd.DataFrame(columns=list(COLUMNS))).data
