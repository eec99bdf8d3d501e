"""Figures of a clamped position: the one token that was left, and no confidence."""

import numpy as np

from dgemma_viz.figures import alternatives, position_history
from tests import restrained


def test_only_the_token_that_was_left_is_an_alternative():
    trace = restrained.forced()
    figure = alternatives(trace, step=0, position=2)
    assert len(figure.data[0].x) == 2, "the token, and all others together"
    assert len(alternatives(trace, step=0, position=3).data[0].x) > 2


def test_the_history_has_no_value_where_one_token_was_left():
    trace = restrained.forced()
    line = next(one for one in position_history(trace, position=2).data if one.name == "confidence")
    assert np.isnan(np.array(line.y, dtype=float)).all()
    figure = position_history(trace, position=3)
    assert "clamped" not in figure.layout.title.subtitle.text
    assert f"clamped in {trace.n_steps} of" in position_history(trace, position=2).layout.title.subtitle.text
