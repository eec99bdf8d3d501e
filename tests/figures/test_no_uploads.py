"""Plotly's "Share chart" uploads a figure to its cloud: none of ours offers it, whoever shows it."""

import plotly.graph_objects as go
import plotly.io as pio
import pytest

from dgemma_viz.figures import heatmap
from dgemma_viz.figures.frame import message_figure
from dgemma_viz.figures.theme import DARK
from tests.browser import SHARES, open_page
from tests.synthetic import synthetic_trace

pytestmark = pytest.mark.browser


def buttons_of(figure, chromium, tmp_path):
    """How many buttons Plotly's own page of a figure has, and how many of them share it."""
    path = tmp_path / "figure.html"
    path.write_text(pio.to_html(figure, include_plotlyjs=True, config={"displayModeBar": True}), encoding="utf-8")
    with open_page(chromium, path.as_uri(), wait_for=".modebar-btn") as visit:
        return visit.page.locator(".modebar-btn").count(), visit.page.locator(SHARES).count()


def test_plotly_itself_offers_it(chromium, tmp_path):
    """What the other tests look for is there where nobody takes it away."""
    assert buttons_of(go.Figure(), chromium, tmp_path)[1] == 1


@pytest.mark.parametrize(
    "figure", [heatmap(synthetic_trace()), message_figure("none", DARK, "Nothing", "to see")], ids=["light", "dark"]
)
def test_a_figure_shown_by_others_has_buttons_but_none_that_shares(figure, chromium, tmp_path):
    buttons, sharing = buttons_of(figure, chromium, tmp_path)
    assert buttons
    assert not sharing
