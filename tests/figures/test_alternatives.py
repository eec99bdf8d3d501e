"""The bars of one position: the trace's probabilities, draft and candidate named, the rest derived."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import alternatives
from dgemma_viz.figures.token_text import label
from dgemma_viz.trace import ARRAYS, Trace
from tests.synthetic import Sampler, synthetic_trace

TRACE = synthetic_trace(length=9, steps=7, seed=2)
RUN = TRACE.canvas_run()


def bars_of(figure):
    """Rows as (text, probability, caption), top first."""
    bars = figure.data[0]
    return [(t, x, d) for t, x, d in zip(figure.layout.yaxis.ticktext, bars.x, bars.customdata, strict=True)]


def rebuilt(**arrays):
    return Trace(**({name: getattr(TRACE, name) for name in ARRAYS} | arrays), token_texts=TRACE.token_texts)


def test_the_most_probable_first_and_the_rest_last():
    for step, position in ((0, 0), (2, 5), (-1, 8)):
        rows = bars_of(alternatives(TRACE, step=step, position=position))
        probabilities = RUN.array("top_k_probabilities")[step, position].astype(float)
        np.testing.assert_array_equal([x for _, x, _ in rows[:8]], probabilities)
        tokens = RUN.array("top_k_ids")[step, position]
        assert all(text.startswith(label(RUN.token_text(t))) for (text, _, _), t in zip(rows, tokens, strict=False))
        assert rows[-1][0].startswith("all other tokens")
        assert sum(x for _, x, _ in rows) == pytest.approx(1, abs=2e-3)
        assert [details[2] for _, _, details in rows] == ["measured"] * (len(rows) - 1) + ["derived"]


def test_draft_and_candidate_are_named():
    for step in range(RUN.n_steps):
        for position in range(RUN.canvas_length):
            roles = [details[1] for _, _, details in bars_of(alternatives(TRACE, step=step, position=position))]
            same = RUN.array("draft")[step, position] == RUN.array("candidate")[step, position]
            expected = ["draft and candidate"] if same else ["draft", "candidate"]
            assert [role for role in roles if not role.startswith("neither")] == expected


def test_a_candidate_beyond_the_alternatives_gets_a_row():
    trace = synthetic_trace(length=40, steps=6, sampler=Sampler(top_k=1), seed=1)
    run = trace.canvas_run()
    elsewhere = np.argwhere(run.array("candidate") != run.array("draft"))
    assert len(elsewhere)
    step, position = (int(n) for n in elsewhere[0])
    rows = bars_of(alternatives(trace, step=step, position=position))
    assert len(rows) == 3
    assert rows[1][1] == run.array("candidate_probability")[step, position]
    assert rows[1][2][1] == "candidate"


def test_the_title_says_what_happened():
    figure = alternatives(TRACE, step=2, position=5)
    assert figure.layout.title.text == "Alternatives at position 5, step 2"
    word = "accepted" if RUN.array("accepted")[2, 5] else "re-noised"
    assert word in figure.layout.title.subtitle.text


def test_probabilities_that_are_not_numbers():
    probabilities = np.full(TRACE.top_k_probabilities.shape, np.nan)
    figure = alternatives(rebuilt(top_k_probabilities=probabilities), step=0, position=0)
    assert set(figure.data[0].text[:-1]) == {"not a number"}
    assert figure.data[0].text[-1] == "not a number"


def test_rounding_never_makes_a_negative_rest():
    probabilities = np.full(TRACE.top_k_probabilities.shape, 1 / 8 + 1e-4)
    assert alternatives(rebuilt(top_k_probabilities=probabilities)).data[0].x[-1] == 0


def test_no_alternatives_recorded_still_shows_draft_and_candidate():
    empty = rebuilt(top_k_ids=TRACE.top_k_ids[..., :0], top_k_probabilities=TRACE.top_k_probabilities[..., :0])
    rows = bars_of(alternatives(empty, step=0, position=0))
    assert rows[0][1] == RUN.array("confidence")[0, 0]


def test_a_position_that_is_not_there():
    with pytest.raises(SettingError, match="choose from 0 to 8"):
        alternatives(TRACE, position=9)
