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
    assert len(one._esm) < 100_000 < len(shared_bundle().source)


def test_a_page_that_joins_later_gets_the_figure_as_it_is_now():
    chart = Chart(go.Figure(go.Scatter(y=[1, 2])))
    chart.show(go.Figure(go.Scatter(y=[3, 4, 5]), layout={"title": {"text": "later"}}))
    chart.mark([{"type": "line", "name": "selected step", "x0": 1, "x1": 1}])
    state = chart.get_state()
    assert list(state["_widget_data"][0]["y"]) == [3, 4, 5]
    assert state["_widget_layout"]["title"]["text"] == "later"
    assert state["_widget_layout"]["shapes"][0]["x0"] == 1


def test_a_few_properties_are_changed_and_those_that_differ_are_sent(sent):
    chart, messages = sent
    chart.change([{"y": np.array([1, 2, 3]), "mode": "lines"}], {"title.text": "b", "height": None})
    (message,) = messages
    assert message["style_data"] == {"mode": ["lines"]}
    assert message["layout_data"] == {"title.text": "b"}
    chart.change([{"mode": "lines"}], {"title.text": "b"})
    assert len(messages) == 1


def test_a_page_that_missed_a_change_gets_the_state_when_it_asks(monkeypatch):
    chart, states = Chart(figure()), []
    assert chart.get_state()["as_of"] == [0, 0]
    chart.show(figure(y=(4, 5)))
    chart.mark([{"type": "line", "name": "selected step", "x0": 1, "x1": 1}])
    monkeypatch.setattr(chart, "_send", lambda message, **_: states.append(message["state"]))
    chart._handle_custom_msg("state", [])
    (state,) = states
    assert state["as_of"] == [1, 1]
    assert state["_widget_data"][0]["y"] == [4, 5]
    assert state["_widget_layout"]["shapes"][0]["x0"] == 1


def on_the_wire(figure):
    """JSON and buffers of a chart's data, as ipywidgets sends them."""
    state, _paths, buffers = _remove_buffers(Chart(figure).get_state(key="_widget_data"))
    return json.loads(json.dumps(state, allow_nan=False))["_widget_data"][0], buffers


def test_a_grid_of_numbers_crosses_as_bytes_without_loss():
    exact = [[1.0, np.nan], [np.inf, 2.0]]
    json_part, (values,) = on_the_wire(go.Figure(go.Heatmap(z=np.array(exact))))
    assert json_part["z"] == {"wire": "numbers", "dtype": "float32", "shape": [2, 2]}
    np.testing.assert_array_equal(np.frombuffer(values, "f4").reshape(2, 2), exact)
    json_part, (values,) = on_the_wire(go.Figure(go.Heatmap(z=np.array([[0.1, 1e300]]))))
    assert json_part["z"]["dtype"] == "float64"
    assert np.frombuffer(values, "f8").tolist() == [0.1, 1e300]


def test_texts_cross_once_each():
    texts = np.array([["same"] * 300, ["same"] * 299 + ["other"]], dtype=object)
    json_part, (places,) = on_the_wire(go.Figure(go.Heatmap(z=[[1]], text=texts)))
    assert json_part["text"]["distinct"] == ["same", "other"]
    assert json_part["text"]["shape"] == [2, 300]
    assert list(places) == [0] * 599 + [1]


@pytest.mark.parametrize("mixed", [[["a", None] * 40], [[1, "1"] * 40]])
def test_cells_that_are_not_all_texts_cross_as_they_are(mixed):
    json_part, buffers = on_the_wire(go.Figure(go.Heatmap(z=[[1]], customdata=np.array(mixed, dtype=object))))
    assert json_part["customdata"] == mixed
    assert not buffers
