import numpy as np
import pytest

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures.compared_curves import compared_curves
from dgemma_viz.figures.curve_panels import panels
from tests.cut_traces import without_steps
from tests.figures.drawn_text import DANGEROUS, message_of, strings_of
from tests.handmade import handmade_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace


@pytest.fixture(scope="module")
def traces():
    return synthetic_trace(steps=[[12]], seed=0), synthetic_trace(steps=[[8]], seed=1)


def lines(figure):
    return {line.name: line for line in figure.data}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_line_of_a_run_is_drawn_for_both_and_told_apart_without_colour(traces, theme):
    shown = lines(compared_curves(*traces, theme=theme))
    for name, trace in zip("AB", traces, strict=True):
        for panel in panels(trace.canvas_run()):
            for line in panel.lines:
                if line.name != "accepted":
                    drawn = shown[f"{name}: {line.name}"]
                    np.testing.assert_allclose(drawn.customdata, line.values)
    for a, b in (
        (shown[name], shown[f"B{name[1:]}"]) for name in shown if name.startswith("A: ") and "bound" not in name
    ):
        assert (a.yaxis, a.x[0]) == (b.yaxis, b.x[0])
        assert a.line.dash != b.line.dash
        assert set(a.marker.symbol) != set(b.marker.symbol)


def test_the_drafts_that_differ_go_on_to_the_end_of_the_longer_run():
    figure = compared_curves(handmade_trace(["a b", "b b"]), handmade_trace(["a b", "b b", "b a"]))
    assert lines(figure)["drafts that differ"].customdata.tolist() == [0, 0, 0.5]
    assert figure.layout.xaxis.range == (-0.5, 2.5)


def test_the_first_difference_is_marked_and_named(traces):
    figure = compared_curves(*traces, step=3)
    assert [shape.name for shape in figure.layout.shapes] == ["first difference", "selected step"]
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 3]
    assert "first difference: step 0" in figure.layout.title.subtitle.text
    same = compared_curves(traces[0], traces[0])
    assert not same.layout.shapes
    assert "first difference" not in same.layout.title.subtitle.text


def test_another_step_changes_the_marker_only(traces):
    figures = [compared_curves(*traces, step=step).to_plotly_json() for step in (0, 11)]
    for figure in figures:
        figure["layout"].pop("shapes")
    assert str(figures[0]) == str(figures[1])


def test_a_run_that_is_missing_leaves_its_lines_empty():
    a, b = synthetic_trace(canvases=2), synthetic_trace()
    shown = lines(compared_curves(a, b, canvas=1))
    assert len(shown["A: noise ratio"].x)
    assert not len(shown["B: noise ratio"].x)
    assert not len(shown["drafts that differ"].x)
    assert not [name for name in shown if "not a number" in name]


def test_nothing_to_draw_is_a_plain_message():
    nothing = without_steps(synthetic_trace())
    assert "neither run has steps" in message_of(compared_curves(nothing, nothing))
    assert not compared_curves(nothing, nothing).data


def test_values_say_where_they_are_from_and_texts_are_data(traces):
    for line in compared_curves(*traces).data:
        assert "measured" in line.hovertemplate or "derived" in line.hovertemplate
    hostile = synthetic_trace(texts=NASTY_TEXTS)
    for text in strings_of(compared_curves(hostile, hostile).to_plotly_json()):
        assert not [danger for danger in DANGEROUS if danger in text]


def test_what_is_not_there_is_refused(traces):
    with pytest.raises(SettingError, match="step 12 is in neither run"):
        compared_curves(*traces, step=12)
    with pytest.raises(SettingError, match=r"canvas is 0\.5"):
        compared_curves(*traces, canvas=0.5)
    with pytest.raises(TraceError, match="takes a Trace"):
        compared_curves(traces[0], None)
