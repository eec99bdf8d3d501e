"""Charts of the labs: the whole figure crosses as JSON, clicks come back, and Plotly itself is sent once."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget

from dgemma_viz.views.plotly_module import ADDRESS_VARIABLE
from dgemma_viz.widgets.chart import Chart


def drawn(theme):
    return go.Figure(go.Scatter(y=np.array([1, 2, 3])), layout={"title": {"text": theme}})


def bundles():
    return [widget for widget in Widget.get_manager_state()["state"].values() if "version" in widget["state"]]


def test_the_figure_crosses_as_json_and_another_takes_its_place():
    chart = Chart(drawn)
    assert json.loads(json.dumps(chart.spec, allow_nan=False)) == chart.spec
    assert chart.spec["layout"]["title"]["text"] == "light"
    assert "template" in chart.spec["layout"], "unlike in the viewer, which has it once for all"
    chart.show(go.Figure(go.Bar(y=[1]), layout={"title": {"text": "other"}}))
    assert [chart.figure.data[0].type, chart.spec["data"][0]["type"]] == ["bar", "bar"]
    state = chart.get_state()
    assert state["spec"]["layout"]["title"]["text"] == "other", "also for a page that joins later"
    chart.redraw()
    assert chart.spec["layout"]["title"]["text"] == "light"


def test_a_dark_page_has_it_drawn_dark():
    chart = Chart(drawn)
    chart.dark = True
    assert chart.spec["layout"]["title"]["text"] == "dark"


def test_clicks_arrive_and_nonsense_does_not():
    clicks = []
    chart = Chart(drawn, lambda x, y: clicks.append((x, y)))
    chart.click(1, "name")
    assert clicks == [(1, "name")]
    Chart(drawn).click(1, 2)


def test_plotly_is_sent_once_for_all_charts_and_again_after_it_was_closed(monkeypatch):
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    Widget.close_all()
    charts = [Chart(drawn) for _ in range(3)]
    (bundle,) = bundles()
    assert bundle["buffers"][0]["path"] == ["source"]
    assert len(str(charts[0]._esm)) < 100_000
    Widget.close_all()
    Chart(drawn)
    assert len(bundles()) == 1


def test_where_a_server_has_plotly_none_is_sent(monkeypatch):
    monkeypatch.setenv(ADDRESS_VARIABLE, "/plotly.js")
    Widget.close_all()
    assert Chart(drawn).plotly_address == "/plotly.js"
    assert bundles() == []


@pytest.fixture(autouse=True)
def _leave_none():
    yield
    Widget.close_all()
