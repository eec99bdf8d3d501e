"""The still token canvas: every token once, readable on its colour, marked for what happened to it."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import token_canvas
from dgemma_viz.figures.colour_scales import AA, contrast
from dgemma_viz.figures.quantities import QUANTITIES
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.figures.token_canvas import background_colours
from dgemma_viz.figures.token_text import label
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=21, steps=7, seed=2)
RUN = TRACE.canvas_run()


def by_name(figure):
    return {trace.name.split(" · ")[0]: trace for trace in figure.data}


@pytest.mark.parametrize("columns", [1, 4, 16, 64])
def test_every_token_is_in_its_cell(columns):
    shown = by_name(token_canvas(TRACE, step=3, columns=columns))
    texts, width = shown["tokens"], min(columns, 21)
    assert list(zip(texts.x.tolist(), texts.y.tolist(), strict=True)) == [(p % width, p // width) for p in range(21)]
    longest = max(3, min(9, 104 // width))
    assert list(texts.text) == [label(RUN.token_text(t), longest) for t in RUN.array("draft")[3]]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_values_fill_the_grid(quantity):
    shown = by_name(token_canvas(TRACE, step=3, quantity=quantity, columns=4))
    values = QUANTITIES[quantity].values(RUN)[3]
    np.testing.assert_array_equal(shown["values"].z.ravel()[:21], values)
    assert np.isnan(shown["values"].z.ravel()[21:]).all()
    assert (~np.isnan(shown["no value"].z.ravel()[:21]) == np.isnan(values)).all()


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_readable_on_its_colour(quantity, theme):
    for step in range(RUN.n_steps):
        shown = by_name(token_canvas(TRACE, step=step, quantity=quantity, theme=theme))
        chosen = QUANTITIES[quantity]
        behind = background_colours(chosen, chosen.values(RUN), step, theme_named(theme))
        pairs = zip(shown["tokens"].textfont.color, behind, strict=True)
        assert min(contrast(text, background) for text, background in pairs) >= AA


def test_marks_lie_under_and_on_their_tokens():
    shown = by_name(token_canvas(TRACE, step=3, columns=8))
    accepted, draft = RUN.array("accepted"), RUN.array("draft")

    def cells(trace, offset):
        return {(round(x), round(y - offset)) for x, y in zip(trace.x, trace.y, strict=True) if not np.isnan(x)}

    def expected(mask):
        return {(p % 8, p // 8) for p in np.flatnonzero(mask)}

    assert cells(shown["accepted"], 0.45) == expected(accepted[3])
    assert cells(shown["re-noised"], 0.45) == expected(~accepted[3])
    assert cells(shown["draft changed"], -0.34) == expected(draft[3] != draft[2])
    assert shown["accepted"].line.dash != shown["re-noised"].line.dash


def test_hovers_list_the_alternatives():
    figure = token_canvas(TRACE, step=3, columns=4)
    details = figure.data[0].customdata[1][2]
    position = 6
    assert details[0] == label(RUN.token_text(RUN.array("draft")[3, position]))
    assert details[5] == str(position)
    assert "alternatives · measured" in details[4]
    assert details[4].count("<br>") == 5


@pytest.mark.parametrize("columns", [0, -1, 65, 2.5])
def test_columns_that_cannot_be(columns):
    with pytest.raises(SettingError, match=r"choose 1 to 64|whole number"):
        token_canvas(TRACE, columns=columns)
