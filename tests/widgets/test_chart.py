import json
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets.widgets.widget import _remove_buffers

from dgemma_viz.widgets.chart import Chart, shared_bundle


def figure(y=(1, 2, 3), title="a", **layout):
    return go.Figure(go.Scatter(y=np.array(y)), layout={"title": {"text": title}, **layout})


@pytest.fixture
def sent():
    """A chart and the list of updates that it sends."""
    chart, messages = Chart(figure()), []
    for name in ("_py2js_update", "_py2js_restyle", "_py2js_relayout", "_py2js_addTraces"):
        chart.observe(lambda change: change["new"] is not None and messages.append(change["new"]), name)
    return chart, messages


def test_an_equal_figure_sends_nothing(sent):
    chart, messages = sent
    chart.show(figure())
    assert messages == []


def test_only_what_differs_is_sent(sent):
    chart, messages = sent
    chart.show(figure(title="b"))
    (message,) = messages
    assert "y" not in str(message.get("style_data"))
    assert chart.layout.title.text == "b"


def test_new_values_arrive(sent):
    chart, messages = sent
    chart.show(figure(y=(4, 5)))
    assert list(chart.data[0].y) == [4, 5]
    assert len(messages) == 1


def test_what_the_new_figure_lacks_is_removed():
    chart = Chart(figure(shapes=[{"type": "line", "x0": 1, "x1": 1, "y0": 0, "y1": 1}]))
    chart.show(figure())
    assert not chart.layout.shapes


def test_clicks_arrive_also_after_other_traces_are_shown():
    clicks = []
    chart = Chart(figure(), lambda x, y: clicks.append((x, y)))
    chart.show(go.Figure([go.Bar(y=[1]), go.Scatter(y=[2])]))
    assert [trace.type for trace in chart.data] == ["bar", "scatter"]
    for trace in chart.data:
        trace._dispatch_on_click(SimpleNamespace(point_inds=[0], xs=[3], ys=[4], trace_index=0), None)
    assert clicks == [(3, 4), (3, 4)]


def test_a_click_beside_every_point_is_no_click():
    clicks = []
    chart = Chart(figure(), lambda x, y: clicks.append((x, y)))
    chart.data[0]._dispatch_on_click(SimpleNamespace(point_inds=[], xs=[], ys=[], trace_index=0), None)
    assert clicks == []


def test_plotly_s_javascript_is_sent_once_for_all_charts():
    one, other = Chart(figure()), Chart(figure())
    assert one.bundle is other.bundle is shared_bundle()
    assert len(one._esm) < 20_000
    assert len(one.bundle.source) > 1_000_000


def test_a_page_that_joins_later_gets_the_figure_as_it_is_now():
    chart = Chart(go.Figure(go.Scatter(y=[1, 2])))
    chart.show(go.Figure(go.Scatter(y=[3, 4, 5]), layout={"title": {"text": "later"}}))
    chart.mark([{"type": "line", "name": "selected step", "x0": 1, "x1": 1}])
    state = chart.get_state()
    assert list(state["_widget_data"][0]["y"]) == [3, 4, 5]
    assert state["_widget_layout"]["title"]["text"] == "later"
    assert state["_widget_layout"]["shapes"][0]["x0"] == 1


def grid(*rows):
    return go.Figure(go.Heatmap(z=np.array(rows)))


def test_blanks_of_a_grid_are_null_on_the_wire():
    chart = Chart(grid([1.0, np.nan], [np.inf, 2.0]))
    chart.show(grid([1.0, np.nan], [3.0, 2.0]))
    state, _paths, _buffers = _remove_buffers(chart.get_state())
    assert json.loads(json.dumps(state["_widget_data"], allow_nan=False))[0]["z"] == [[1.0, None], [3.0, 2.0]]
