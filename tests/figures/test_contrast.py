"""Contrast after WCAG, and readable text on any colour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import AA, contrast, luminance, text_on

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)],
)
def test_known_ratios(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(one, other) == contrast(other, one)


@given(colours)
def test_text_is_readable_on_every_colour(background):
    assert contrast(background, text_on(background)) >= AA


@pytest.mark.parametrize("colour", ["red", "#fff", "ffffff0", "rgb(0,0,0)"])
def test_other_notations_are_refused(colour):
    with pytest.raises(SettingError, match="#rrggbb"):
        luminance(colour)
