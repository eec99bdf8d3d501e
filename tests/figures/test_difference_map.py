from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.difference_map import difference_map
from tests.figures.drawn_text import DANGEROUS, message_of, strings_of
from tests.handmade import handmade_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace


def test_cells_by_hand():
    a = handmade_trace(["a b a b", "a b a b"])
    values = {name: np.array(getattr(a, name)) for name in ("noised", "accepted", "draft")}
    values["noised"][0, 0, 1:] = 0
    values["accepted"][0, 0, 2:] = False
    values["draft"][0, 0, 3] = 2
    shown = difference_map(replace(a, noised=np.ones_like(a.noised)), replace(a, **values, decision=None)).data[0]
    assert shown.z[0, 1:].tolist() == [1, 2, 3]
    assert shown.text[0, 1:].tolist() == ["another token was read", "kept in one run only", "another draft"]


def test_a_run_that_has_stopped_keeps_its_last_draft_and_says_so():
    figure = difference_map(handmade_trace(["a b"]), handmade_trace(["a b", "b b"]))
    assert figure.data[0].z.tolist() == [[0, 0], [3, 0]]
    assert figure.data[0].customdata[1, 0].tolist() == [
        *("a", "(stopped at step 0)", "“ab”"),
        *("b", "● accepted", "“bb”"),
    ]
    assert "agree at 1 of 2 positions" in figure.layout.title.subtitle.text


def test_another_step_and_position_change_the_crosshair_only():
    a, b = synthetic_trace(seed=0), synthetic_trace(seed=1)
    figures = [difference_map(a, b, step=step, position=5 - step).to_plotly_json() for step in (0, 4)]
    shapes = [figure["layout"].pop("shapes") for figure in figures]
    assert shapes[0] != shapes[1]
    assert str(figures[0]) == str(figures[1])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tokens_are_data_not_markup(theme):
    a, b = (synthetic_trace(texts=NASTY_TEXTS, length=40, steps=5, seed=seed) for seed in (0, 1))
    figure = difference_map(a, b, theme=theme)
    for text in strings_of(figure.to_plotly_json()):
        assert not [danger for danger in DANGEROUS if danger in text], text
    assert "measured" in figure.data[0].hovertemplate
    assert "derived" in figure.data[0].hovertemplate


def test_shared_positions_only():
    figure = difference_map(synthetic_trace(length=9), synthetic_trace(length=5))
    assert figure.data[0].z.shape[1] == 5
    with pytest.raises(SettingError, match="position 5 is not on the map: choose from 0 to 4"):
        difference_map(synthetic_trace(length=9), synthetic_trace(length=5), position=5)


def test_what_only_one_trace_has_is_a_plain_message():
    figure = difference_map(synthetic_trace(canvases=2), synthetic_trace(), canvas=1)
    assert "cannot be compared" in message_of(figure)
    assert not figure.data
