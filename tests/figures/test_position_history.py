"""One position over the steps."""

import itertools

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import position_history
from dgemma_viz.figures.token_text import label
from dgemma_viz.trace import ARRAYS, Trace
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=9, steps=9, seed=2)
RUN = TRACE.canvas_run()
NAMES = ["draft", "draft changed", "confidence", "accepted", "re-noised", "taken back", "entropy", "not a number"]


def by_name(figure):
    return {trace.name: trace for trace in figure.data}


@pytest.mark.parametrize("position", range(9))
def test_values_and_marks_are_the_traces(position):
    shown = by_name(position_history(TRACE, position=position))
    assert list(shown) == NAMES
    np.testing.assert_allclose(shown["confidence"].y, RUN.array("confidence")[:, position])
    np.testing.assert_allclose(shown["entropy"].y, RUN.array("entropy")[:, position])
    accepted, draft = RUN.array("accepted")[:, position], RUN.array("draft")[:, position]
    assert shown["accepted"].x.tolist() == np.flatnonzero(accepted).tolist()
    assert shown["re-noised"].x.tolist() == np.flatnonzero(~accepted).tolist()
    assert shown["taken back"].x.tolist() == [s for s in range(1, 9) if accepted[s - 1] and not accepted[s]]
    assert shown["draft changed"].x.tolist() == [s for s in range(1, 9) if draft[s] != draft[s - 1]]
    assert not len(shown["not a number"].x)


@pytest.mark.parametrize("position", range(9))
def test_each_stretch_of_equal_drafts_is_labelled_where_it_begins(position):
    figure = position_history(TRACE, position=position)
    drafts = enumerate(RUN.array("draft")[:, position].tolist())
    stretches = [next(group) for _, group in itertools.groupby(drafts, key=lambda item: item[1])]
    labels = [a for a in figure.layout.annotations if a.name and a.name.startswith("draft from")]
    assert [(a.x, a.text) for a in labels] == [(step, label(RUN.token_text(token), 10)) for step, token in stretches]


def test_texts_of_drafts_that_change_at_every_step_keep_off_each_other():
    trace = synthetic_trace(length=12, steps=48, texts=[f"token number {n}" for n in range(40)], seed=4)
    for position in range(12):
        figure = position_history(trace, position=position)
        labels = [a for a in figure.layout.annotations if a.name and a.name.startswith("draft from")]
        draft = trace.canvas_run().array("draft")[:, position]
        last = 1 + np.flatnonzero(draft[1:] != draft[:-1]).max(initial=-1)
        assert labels[-1].x == last
        upright = [a.x for a in labels if a.textangle]
        assert np.diff(upright).min(initial=48) * 272 / 48 >= 14  # pixels of the narrowest plot, of a line
        left_out = len(labels) < len(draft[:-1][draft[1:] != draft[:-1]]) + 1
        assert left_out == any("point at ▲" in a.text for a in figure.layout.annotations)


def test_the_marker_is_the_only_difference():
    one, other = (position_history(TRACE, position=1, step=step).to_plotly_json() for step in (0, -1))
    assert one["layout"]["shapes"][0]["x0"] == 0
    assert other["layout"]["shapes"][0]["x0"] == 8
    assert str(one["data"]) == str(other["data"])
    assert {name for name in one["layout"] if one["layout"][name] != other["layout"][name]} == {"shapes"}


def test_what_is_not_a_number_is_a_gap_that_says_so():
    values = {name: np.array(getattr(TRACE, name)) for name in ARRAYS}
    values["entropy"][2, 0, 4] = values["confidence"][5, 0, 4] = np.nan
    shown = by_name(position_history(Trace(**values), position=4))
    assert np.isnan(shown["entropy"].y[2])
    assert shown["not a number"].x.tolist() == [2, 5]
    assert list(shown["not a number"].text) == ["entropy", "confidence"]


def test_a_position_that_is_not_there():
    with pytest.raises(SettingError, match="choose from 0 to 8"):
        position_history(TRACE, position=-1)
