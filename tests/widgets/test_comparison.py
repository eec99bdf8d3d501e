from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import Cause
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures.run_pair import A
from dgemma_viz.widgets.compared_position import HINT
from dgemma_viz.widgets.comparison import LINKED, Comparison, compare
from tests.analysis.test_comparison import without_steps
from tests.analysis.test_divergence import without
from tests.handmade import handmade_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace


@pytest.fixture
def comparison():
    return compare(
        synthetic_trace(canvases=2, length=12, steps=[[10], [6]]),
        synthetic_trace(canvases=2, length=12, steps=[[7], [9]], seed=1),
    )


def marks(canvas):
    return np.frombuffer(canvas.differing, np.uint8).reshape(-1, canvas.packing["positions"])


def page_moves(comparison, name, value):
    """What the browser does: the moved canvas and, by its link, the other one report the same value."""
    for canvas in comparison.canvases:
        setattr(canvas, name, value)


def test_canvases_are_linked_in_the_browser(comparison):
    linked = [(link.source[1], link.target[1]) for link in comparison._links]
    assert linked == [(name, name) for name in LINKED]
    assert all((link.source[0], link.target[0]) == comparison.canvases for link in comparison._links)


def test_a_canvas_moves_the_selection_and_is_sent_nothing_back(comparison):
    first, second = comparison.canvases
    first.step = 4
    assert comparison.selection.step == 4
    assert second.step == 0, "the browser has moved it already; a late message would pull it back"
    page_moves(comparison, "step", 5)
    page_moves(comparison, "position", 3)
    page_moves(comparison, "quantity", "entropy")
    chosen = comparison.selection
    assert (chosen.step, chosen.position, chosen.quantity) == (5, 3, "entropy")
    assert [shape.x0 for shape in comparison.curves.layout.shapes if shape.name == "selected step"] == [5]


def test_the_selection_moves_both_canvases(comparison):
    comparison.selection.step, comparison.selection.position = 9, 2
    comparison.selection.quantity = "flips"
    for canvas in comparison.canvases:
        assert (canvas.step, canvas.position, canvas.quantity) == (9, 2, "flips")


def test_clicks_in_the_charts_move_both_and_stay_inside(comparison):
    comparison._map_clicked(99, 99)
    assert [(canvas.step, canvas.position) for canvas in comparison.canvases] == [(9, 11)] * 2
    comparison._curves_clicked(-3, 0)
    assert [canvas.step for canvas in comparison.canvases] == [0, 0]


def test_only_one_canvas_plays(comparison):
    first, second = comparison.canvases
    first.playing = True
    second.playing = True
    assert not first.playing


def test_differing_drafts_are_marked_to_the_end_of_the_longer_run():
    comparison = compare(handmade_trace(["a b", "b b"]), handmade_trace(["a b", "b b", "b a"]))
    for canvas in comparison.canvases:
        assert marks(canvas).tolist() == [[0, 0], [0, 0], [0, 1]]


def test_marks_of_a_wider_canvas_cover_the_shared_positions_only():
    comparison = compare(synthetic_trace(length=9), synthetic_trace(length=5, seed=1))
    wide, narrow = (marks(canvas) for canvas in comparison.canvases)
    np.testing.assert_array_equal(wide[:, :5], narrow)
    assert not wide[:, 5:].any()


def test_the_jump_goes_to_the_first_difference():
    a = handmade_trace(["a b"], ["a b", "b b", "b b"])
    candidate = np.array(a.candidate)
    candidate[2, 0, 1] = 0
    comparison = compare(a, replace(a, candidate=candidate))
    assert comparison.first.cause is Cause.CANDIDATE
    comparison.jump.click()
    chosen = comparison.selection
    assert (chosen.canvas, chosen.step, chosen.position) == (1, 1, 1)
    assert [(canvas.step, canvas.position) for canvas in comparison.canvases] == [(1, 1)] * 2
    assert "canvas 1, step 1: the candidates drawn" in comparison._head.value


def test_the_same_run_twice_has_no_jump():
    trace = synthetic_trace()
    comparison = compare(trace, trace)
    assert comparison.jump.layout.display == "none"
    assert "No difference" in comparison._head.value
    comparison.jump_to_first()
    assert comparison.selection.position == -1


def test_another_canvas_starts_at_its_first_step_with_its_own_marks(comparison):
    comparison.selection.step, comparison.selection.position = 6, 2
    comparison.selection.canvas = 1
    assert (comparison.selection.step, comparison.selection.position) == (0, -1)
    assert [canvas.n_steps for canvas in comparison.canvases] == [6, 9]
    assert [len(marks(canvas)) for canvas in comparison.canvases] == [9, 9]
    comparison._choice.canvas.value = 0
    assert [canvas.n_steps for canvas in comparison.canvases] == [10, 7]


def test_a_canvas_and_a_sample_that_one_run_lacks():
    comparison = compare(synthetic_trace(canvases=2, samples=2), synthetic_trace())
    comparison.selection.position = 3
    for where in ({"canvas": 1}, {"sample": 1}):
        for name, value in where.items():
            setattr(comparison.selection, name, value)
        first, second = comparison.canvases
        assert first.n_steps
        assert first.differing == second.differing == b""
        assert "Run B has no denoising steps" in second.message
        assert HINT in comparison.position._text.value
        assert comparison.first is None or where == {"canvas": 1}
    comparison.selection.canvas = comparison.selection.sample = 0
    assert not comparison.canvases[1].message


def test_position_of_both_runs_side_by_side(comparison):
    comparison.selection.step, comparison.selection.position = 9, 4
    text = comparison.position._text.value
    assert "<td>9</td><td>6</td>" in text, "B has stopped at step 6"
    assert [chart.layout.title.text for chart in comparison.position._charts] == [
        "● A: alternatives at step 9",
        "◆ B: alternatives at step 6",
    ]
    comparison.selection.position = -1
    assert HINT in comparison.position._text.value


@pytest.mark.parametrize("empty", [0, 1])
def test_a_run_without_steps(empty):
    traces = [synthetic_trace(), synthetic_trace(seed=1)]
    traces[empty] = without_steps(traces[empty])
    comparison = compare(*traces)
    assert "Nothing to compare" in comparison._head.value
    assert "has no denoising steps" in comparison.canvases[empty].message
    comparison.selection.step, comparison.selection.position = 3, 2
    assert comparison.canvases[1 - empty].step == 3


def test_two_runs_without_steps_have_no_charts():
    trace = without_steps(synthetic_trace())
    comparison = compare(trace, trace)
    assert comparison.map is None
    assert "What changed" in comparison._table.value
    comparison.close()


def test_the_table_tells_what_changed_and_marks_the_output():
    a, b = handmade_trace(["a b b"]), handmade_trace(["a a b"], seed=1)
    table = compare(a, b, reference="abb")._table.value
    assert "a<mark title='differs'>b</mark>b" in table
    assert "a<mark title='differs'>a</mark>b" in table
    assert "1 of 3" in table
    assert "<tr class='dgc-changed'><th scope='row'>seed</th><td>0</td><td>1</td>" in table
    assert "<td>right</td><td>wrong</td>" in table
    assert compare(a, b)._table.value.count("wrong") == 0


def test_everything_from_outside_is_escaped():
    facts = {"error": "<img src=x>", "status": "failed", "warnings": ("<script>",), "settings": {"<b>": "<i>x</i>"}}
    a = synthetic_trace(texts=NASTY_TEXTS, length=40)
    b = synthetic_trace(texts=NASTY_TEXTS, length=40, seed=1)
    comparison = compare(a, replace(b, facts=replace(b.facts, **facts)))
    shown = comparison._head.value + comparison._table.value
    shown += "".join(heading.value for heading in comparison._headings)
    for position in range(40):
        comparison.selection.position = position
        shown += comparison.position._text.value
    for danger in ("<script", "<img", "<b>bold", "<i>x", "<a href", "\u202e", "\u200b", "\x00"):
        assert danger not in shown


def test_a_very_long_output_is_cut():
    a, b = (synthetic_trace(texts=("<pad>", "<eos>", "word " * 40), length=256, steps=2, seed=seed) for seed in (0, 1))
    facts = replace(a.facts, eos_token_ids=())
    table = compare(replace(a, facts=facts), replace(b, facts=facts))._table.value
    assert "…" in table
    assert len(table) < 40_000


def test_a_heading_names_what_sets_the_run_apart(comparison):
    assert "seed 0" in comparison._headings[0].value
    assert "seed 1" in comparison._headings[1].value
    assert f"Run {A.name}" in comparison._headings[0].value


def test_a_dark_page_has_dark_charts(comparison):
    comparison.canvases[0].dark = True
    assert comparison.map.layout.template == comparison.curves.layout.template
    assert comparison.map.layout.template.layout.paper_bgcolor == "#111111"


def test_paths_and_what_is_neither(tmp_path):
    trace = synthetic_trace()
    path = tmp_path / "run.safetensors"
    trace.save(path)
    assert isinstance(compare(path, str(path)), Comparison)
    with pytest.raises(TraceError, match="compare\\(\\) shows two Traces"):
        compare(trace, 3)
    with pytest.raises(SettingError, match="not a list"):
        compare(trace, trace, ["3"])


def test_other_traces_are_shown_in_the_same_views_and_what_is_looked_at_stays(comparison):
    views = [*comparison.canvases, comparison.map, comparison.curves, comparison.position]
    comparison.selection.step, comparison.selection.position, comparison.selection.quantity = 6, 3, "flips"
    a, b = synthetic_trace(length=12, steps=5, seed=2), synthetic_trace(length=12, steps=9, seed=3)
    comparison.show(pair_of(a, b))
    assert [*comparison.canvases, comparison.map, comparison.curves, comparison.position] == views
    chosen = comparison.selection
    assert (chosen.step, chosen.position, chosen.quantity) == (4, 3, "flips"), "the last step that both have"
    assert [canvas.step for canvas in comparison.canvases] == [4, 4]
    assert [canvas.n_steps for canvas in comparison.canvases] == [5, 9]
    alone = compare(a, b)
    assert comparison.first == alone.first
    for shown, expected in ((comparison.map, alone.map), (comparison.curves, alone.curves)):
        assert [trace.type for trace in shown.data] == [trace.type for trace in expected.data]
    assert comparison._head.value == alone._head.value
    assert comparison._table.value == alone._table.value
    assert marks(comparison.canvases[0]).tolist() == marks(alone.canvases[0]).tolist()


def test_other_traces_with_more_or_fewer_canvases_are_offered(comparison):
    comparison.selection.canvas, comparison.selection.position = 1, 3
    comparison.show(pair_of(synthetic_trace(length=12), synthetic_trace(length=12, seed=1)))
    assert (comparison.selection.canvas, comparison.selection.step, comparison.selection.position) == (0, 0, -1)
    assert comparison._choice.layout.display == "none"
    three = synthetic_trace(canvases=3, length=12, steps=4)
    comparison.show(pair_of(three, three))
    assert [label for label, _ in comparison._choice.canvas.options] == ["0 (of 3)", "1 (of 3)", "2 (of 3)"]
    comparison._choice.canvas.value = 2
    assert comparison.selection.canvas == 2
    assert [canvas.n_steps for canvas in comparison.canvases] == [three.canvas_run(2).n_steps] * 2


def test_charts_are_made_with_the_first_traces_that_have_steps():
    trace = without_steps(synthetic_trace())
    comparison = compare(trace, trace)
    assert comparison.map is None
    comparison.show(pair_of(synthetic_trace(), synthetic_trace(seed=1)))
    assert comparison.map in _all_in(comparison)
    comparison.show(pair_of(trace, trace))
    assert "Nothing to compare" in comparison._head.value


def _all_in(widget):
    children = getattr(widget, "children", ())
    return [*children, *(inner for child in children for inner in _all_in(child))]


def test_closing_closes_links_and_views(comparison):
    comparison.selection.position = 1
    widgets = [*comparison._links, *comparison.canvases, comparison.map, *comparison.position._charts]
    comparison.close()
    assert all(widget.comm is None for widget in widgets)


def test_a_trace_of_another_runtime_says_what_it_did_not_log():
    trace = synthetic_trace()
    names = ("noised", "candidate", "accepted", "entropy", "confidence", "candidate_probability", "top_k_ids")
    comparison = compare(trace, without(trace, *names, "top_k_probabilities", "temperature", "entropy_bound"))
    assert "B did not record noised, candidate, accepted, entropy, confidence: not compared." in comparison._head.value
    comparison.selection.position = 2
    assert comparison.position._text.value.count("<td>not recorded</td>") == 6
