"""Every scale is ordered by lightness alone, which all kinds of colour vision share."""

import itertools

import pytest

from dgemma_viz.figures.colour_scales import SCALES, colour_at, contrast, luminance, plotly_scale

ALL = [(page, name) for page, scales in SCALES.items() for name in scales]


@pytest.mark.parametrize(("page", "name"), ALL)
def test_lightness_is_monotone(page, name):
    stops = SCALES[page][name]
    lights = [luminance(colour_at(stops, n / 20)) for n in range(21)]
    rising = [later - earlier for earlier, later in itertools.pairwise(lights)]
    assert all(step > 0 for step in rising) or all(step < 0 for step in rising)


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, name in ALL if name.startswith("two_")])
def test_the_two_colours_of_a_category_differ_in_lightness(page, name):
    assert contrast(*SCALES[page][name]) >= 3


def test_light_and_dark_have_the_same_scales():
    assert SCALES["light"].keys() == SCALES["dark"].keys()


def test_plotly_forms():
    assert plotly_scale(("#000000", "#ffffff")) == [[0, "#000000"], [1, "#ffffff"]]
    assert plotly_scale(("#000000", "#ffffff"), steps=True) == [
        [0, "#000000"],
        [0.5, "#000000"],
        [0.5, "#ffffff"],
        [1, "#ffffff"],
    ]


@pytest.mark.parametrize(
    ("share", "colour"), [(0, "#000000"), (0.5, "#808080"), (1, "#ffffff"), (-3, "#000000"), (9, "#ffffff")]
)
def test_colours_between_stops(share, colour):
    assert colour_at(("#000000", "#ffffff"), share) == colour
