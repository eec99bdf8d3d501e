"""Selections as shapes."""

from dgemma_viz.figures.markers import crosshair, step_marker
from dgemma_viz.figures.theme import LIGHT


def test_a_marker_stands_at_its_step_through_all_panels():
    shape = step_marker(7, LIGHT)
    assert (shape["x0"], shape["x1"], shape["y0"], shape["y1"]) == (7, 7, 0, 1)
    assert shape["yref"] == "paper"


def test_a_crosshair_frames_row_and_column():
    shapes = {shape["name"]: shape for shape in crosshair(2, 5, (10, 20), LIGHT)}
    row, column = shapes["selected step"], shapes["selected position"]
    assert [row[end] for end in ("x0", "x1", "y0", "y1")] == [-0.5, 19.5, 1.5, 2.5]
    assert [column[end] for end in ("x0", "x1", "y0", "y1")] == [4.5, 5.5, -0.5, 9.5]
    assert len(shapes) == 4, "each frame has a halo"


def test_what_is_not_selected_is_not_framed():
    assert crosshair(None, None, (10, 20), LIGHT) == []
    assert {s["name"] for s in crosshair(1, None, (10, 20), LIGHT)} == {"selected step: halo", "selected step"}
