"""Failures by kind, drawn."""

from dgemma_viz.analysis.failure_kinds import failure_kinds
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.figures import failure_bars
from dgemma_viz.figures.theme import LIGHT
from tests.handmade import handmade_trace

TABLE = failure_kinds(RunSet.of([handmade_trace([text]) for text in ("a b", "x y", "x z", "a x")], "ab"))


def test_only_kinds_that_occur_and_each_can_be_looked_up():
    (bars,) = failure_bars(TABLE).data
    assert dict(zip(bars.y, bars.x, strict=True)) == {"right": 1, "all tokens wrong": 2, "few tokens wrong": 1}
    assert list(bars.customdata) == list(bars.y)
    members = TABLE.set_index("kind")["runs"]
    assert members[bars.customdata[1]] == (1, 2)
    assert "runs 1, 2" in bars.hovertext[1]


def test_right_runs_have_a_colour_of_their_own():
    (bars,) = failure_bars(TABLE).data
    assert bars.marker.color[0] == LIGHT.third
    assert set(bars.marker.color[1:]) == {LIGHT.second}


def test_many_runs_are_not_all_named():
    table = failure_kinds(RunSet.of([handmade_trace(["x y"])] * 30, "ab"))
    assert failure_bars(table).data[0].hovertext[0].endswith("and 22 more")
