"""The map shows the trace's own numbers, and the crosshair is where it was asked for."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures import curves, heatmap
from dgemma_viz.figures.heatmap import colouring, is_strip, map_without_cells
from dgemma_viz.figures.quantities import QUANTITIES
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(canvases=2, samples=2, length=9, steps=7, seed=2)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(("canvas", "sample"), [(0, 0), (1, 1)])
def test_values_are_the_quantitys(quantity, canvas, sample):
    run = TRACE.canvas_run(canvas, sample)
    shown = heatmap(TRACE, canvas, sample, quantity).data[0]
    np.testing.assert_array_equal(shown.z, QUANTITIES[quantity].values(run))
    assert shown.x.tolist() == list(range(9))
    assert shown.y.tolist() == list(range(run.n_steps))


@pytest.mark.parametrize("steps", [13, 48])
def test_a_map_of_many_steps_is_as_tall_as_the_curves_beside_it(steps):
    trace = synthetic_trace(length=9, steps=[[steps]])
    assert heatmap(trace).layout.height == curves(trace).layout.height
    assert not is_strip(trace.canvas_run())


def test_a_map_of_few_steps_is_a_strip():
    trace = synthetic_trace(length=9, steps=[[2]])
    assert heatmap(trace).layout.height < curves(trace).layout.height / 2
    assert is_strip(trace.canvas_run())


def test_the_first_step_is_at_the_top():
    low, high = heatmap(TRACE).layout.yaxis.range
    assert low > high


@pytest.mark.parametrize(("step", "row"), [(2, 2), (-1, TRACE.canvas_run().n_steps - 1)])
def test_the_crosshair_is_at_the_selection(step, row):
    shapes = {shape.name: shape for shape in heatmap(TRACE, step=step, position=4).layout.shapes}
    assert (shapes["selected step"].y0, shapes["selected step"].y1) == (row - 0.5, row + 0.5)
    assert (shapes["selected position"].x0, shapes["selected position"].x1) == (3.5, 4.5)


def test_another_selection_changes_shapes_only():
    one, other = heatmap(TRACE, step=0).to_plotly_json(), heatmap(TRACE, step=3, position=1).to_plotly_json()
    assert str(one["data"]) == str(other["data"])
    differing = {name for name in one["layout"] if one["layout"][name] != other["layout"][name]}
    assert differing == {"shapes"}


def test_hovers_name_token_value_and_provenance():
    run, shown = TRACE.canvas_run(), heatmap(TRACE, quantity="entropy").data[0]
    assert shown.text[3][2] == run.token_text(run.array("draft")[3, 2]).replace(" ", "␣").replace("<", "&lt;").replace(
        ">", "&gt;"
    )
    assert "entropy: %{z:.4~g} nats · measured<br>%{customdata[1]} · measured" in shown.hovertemplate
    assert shown.customdata[3, 2, 1] == ("● accepted" if run.array("accepted")[3, 2] else "○ re-noised")


def test_hovers_say_in_words_what_is_no_number():
    shown = heatmap(TRACE, quantity="commit_step").data[0]
    assert "%{z" not in shown.hovertemplate
    missing, reached = np.isnan(shown.z), ~np.isnan(shown.z)
    assert {text.split("<br>")[0] for text in shown.customdata[missing][:, 1]} == {
        "commit step: draft still changes later · derived"
    }
    assert shown.customdata[reached][0, 1].startswith(f"commit step: {shown.z[reached][0]:.4g} · derived<br>")
    words = heatmap(TRACE, quantity="re_noised_again").data[0].customdata[0, 0, 1]
    assert words.startswith("accepted before, re-noised now: no · derived<br>")


@pytest.mark.parametrize("before", ["confidence", "accepted", "commit_step"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_colouring_is_all_that_sets_two_quantities_apart(before, theme):
    run = TRACE.canvas_run(1, 1)
    for quantity in QUANTITIES:
        figure = map_without_cells(run, before, theme)
        colours = colouring(TRACE, 1, 1, quantity, theme)
        for trace, changes in zip(figure.data, colours.data, strict=True):
            trace.update(changes, overwrite=True)
        figure.layout.title.subtitle.text = colours.subtitle
        assert figure.to_json() == map_without_cells(run, quantity, theme).to_json()


@pytest.mark.parametrize("quantity", ["accepted", "re_noised_again"])
def test_what_was_taken_back_has_a_mark_of_its_own(quantity):
    run = TRACE.canvas_run()
    accepted = run.array("accepted")
    marks = heatmap(TRACE, quantity=quantity).data[1]
    expected = {
        (position, step)
        for step in range(1, run.n_steps)
        for position in range(9)
        if accepted[step - 1, position] and not accepted[step, position]
    }
    assert expected
    assert set(zip(marks.x.tolist(), marks.y.tolist(), strict=True)) == expected
    assert not len(heatmap(TRACE, quantity="confidence").data[1].x)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"quantity": "speed"}, SettingError, "choose from"),
        ({"step": 99}, SettingError, "choose from 0 to"),
        ({"position": 9}, SettingError, "choose from 0 to 8"),
        ({"theme": "pink"}, SettingError, "choose from"),
        ({"canvas": 2}, TraceError, "which has 2"),
        ({"sample": 2}, TraceError, "which has 2"),
    ],
)
def test_bad_arguments_say_what_is_valid(arguments, error, words):
    with pytest.raises(error, match=words):
        heatmap(TRACE, **arguments)
