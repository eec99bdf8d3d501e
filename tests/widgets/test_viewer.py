"""The viewer in Python: what is looked at is a handful of traits, and only what is there can be looked at."""

import subprocess
import sys
from dataclasses import replace

import pytest
import traitlets

import dgemma_viz as dv
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.run import run
from dgemma_viz.trace import Trace
from dgemma_viz.views.contents import unframe
from dgemma_viz.widgets.viewer import Viewer
from tests.cut_traces import without_steps
from tests.synthetic import synthetic_trace

SUDOKU, SOLVED = "sudoku 32__/14_3/41__/___1=", "3214/1423/4132/2341"
TRACE = synthetic_trace(canvases=2, samples=2, length=12, steps=[[10, 6], [4, 0]])


@pytest.fixture
def viewer():
    viewer = dv.explore(TRACE)
    yield viewer
    viewer.close()


@pytest.fixture
def compared():
    viewer = dv.compare(
        synthetic_trace(canvases=2, length=12, steps=[[10], [6]]),
        synthetic_trace(canvases=2, length=12, steps=[[7], [9]], seed=1),
    )
    yield viewer
    viewer.close()


@pytest.fixture(scope="module")
def solved():
    return run(*dv.load_tiny(), SUDOKU, seed=0)


def where(viewer):
    return viewer.sample, viewer.canvas, viewer.step, viewer.position


# -- what is shown -------------------------------------------------------------------------------------------------


def test_the_chosen_canvas_goes_with_the_page_and_no_other(viewer):
    shown, _ = unframe(viewer.frame)
    assert viewer.frame_of == [viewer.page["number"], 0, 0]
    assert (shown["steps"], shown["positions"]) == (10, 12)
    later = dv.explore(TRACE, place={"canvas": 1, "step": 2, "position": 5, "quantity": "entropy"})
    assert later.frame_of[1:] == [1, 0]
    assert unframe(later.frame)[0]["steps"] == 4
    assert where(later) == (0, 1, 2, 5)
    assert later.quantity == "entropy"


def test_paths_are_opened_and_what_is_neither_is_refused_with_a_remedy(tmp_path):
    path = tmp_path / "run.safetensors"
    TRACE.save(path)
    assert dv.explore(str(path)).trace.n_steps == dv.explore(path).trace.n_steps == TRACE.n_steps
    assert isinstance(dv.compare(path, str(path)), Viewer)
    with pytest.raises(TraceError, match=r"explore\(\) takes a Trace.*dv.record"):
        dv.explore([TRACE])


def test_another_trace_begins_at_its_start_and_quantity_and_text_stay(viewer):
    viewer.go(canvas=1, step=3, position=4, quantity="entropy", shows="noised")
    number = viewer.page["number"]
    other = synthetic_trace(length=7, steps=5, seed=3)
    viewer.show(other)
    assert viewer.trace is other
    assert where(viewer) == (0, 0, 0, -1)
    assert (viewer.quantity, viewer.shows) == ("entropy", "noised")
    assert viewer.page["number"] > number
    assert viewer.frame_of == [viewer.page["number"], 0, 0]
    viewer.show(TRACE, place={"canvas": 1, "step": 2})
    assert where(viewer) == (0, 1, 2, -1)


def test_a_pair_after_a_pair_keeps_canvas_and_sample_as_far_as_both_have_them(compared):
    compared.go(canvas=1, step=6)
    three = synthetic_trace(canvases=3, length=12, steps=4)
    compared.show(pair_of(three, three))
    assert where(compared) == (0, 1, 0, -1)
    compared.show(pair_of(synthetic_trace(), synthetic_trace(seed=1)))
    assert where(compared) == (0, 0, 0, -1)
    compared.show(TRACE)
    assert (compared.trace, compared.pair) == (TRACE, None)


def test_a_run_without_steps_and_one_with_them_follow_each_other(viewer):
    viewer.show(without_steps(TRACE))
    assert where(viewer) == (0, 0, 0, -1)
    with pytest.raises(SettingError):
        viewer.step = 1
    viewer.show(TRACE)
    viewer.step = 3
    both = dv.compare(without_steps(TRACE), TRACE, place={"step": 3, "position": 2})
    assert where(both) == (0, 0, 3, 2)


def test_words_alone():
    viewer = Viewer()
    viewer.show(TRACE)
    viewer.clear("Waiting …")
    assert viewer.page["empty"] == "Waiting …"
    assert "canvases" not in viewer.page
    assert (viewer.trace, viewer.pair, viewer.diagnosis, viewer.first_difference) == (None,) * 4
    with pytest.raises(TraceError, match="no single run"):
        _ = viewer.run


def test_the_diagnosis_follows_the_reference_and_a_long_trace_does_not_wait_for_it(solved):
    assert dv.explore(solved).page["findings"]["summary"] == "nothing found"
    assert dv.explore(solved, "wrong").diagnosis.findings
    with pytest.raises(SettingError, match="not a list"):
        dv.explore(solved, ["3"])
    with pytest.raises(SettingError, match="not a list"):
        dv.compare(solved, solved, ["3"])
    long = synthetic_trace(canvases=9, length=256, steps=[[48]] * 9)
    later = dv.explore(long)
    assert later.page["parts"] == ["answer", "findings"]
    assert "findings" not in later.page
    assert later.diagnosis.findings == diagnose(long).findings


# -- what is looked at ---------------------------------------------------------------------------------------------


def test_a_place_is_read_and_gone_to(viewer):
    there = {"sample": 0, "canvas": 1, "step": 3, "position": 7, "quantity": "flips", "shows": "noised"}
    viewer.go(**there)
    assert viewer.place == there | {"token_layout": "auto"}
    viewer.place = {"step": 1}
    assert where(viewer) == (0, 1, 1, 7)
    viewer.go(canvas=0)
    assert where(viewer) == (0, 0, 0, -1), "another canvas starts over"


def test_another_sample_keeps_what_it_can(viewer):
    viewer.go(step=8, position=3)
    viewer.sample = 1
    assert where(viewer) == (1, 0, 5, 3)
    assert viewer.run.n_steps == 6
    viewer.canvas = 1
    assert viewer.run.n_steps == 0


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"canvas": 2}, "there is no canvas 2 here; choose from 0 to 1"),
        ({"sample": -1}, "there is no sample -1 here; choose from 0 to 1"),
        ({"canvas": 1, "step": 4}, "there is no step 4 here; choose from 0 to 3"),
        ({"position": 12}, "there is no position 12 here; choose from -1 to 11"),
        ({"step": "three"}, "there is no step 'three'; it is a whole number"),
        ({"step": 2, "quantity": "beauty"}, "there is no quantity 'beauty'; choose from confidence"),
        ({"token_layout": "circle"}, "choose from auto, grid"),
        ({"where": 3}, "a place has no 'where'; it has sample, canvas, step"),
    ],
)
def test_what_is_not_there_is_refused_and_what_is_looked_at_stays(viewer, place, words):
    viewer.go(canvas=0, step=5, position=1)
    for attempt in (viewer.go, lambda **place: setattr(viewer, "place", place)):
        with pytest.raises(SettingError, match=words):
            attempt(**place)
        assert where(viewer) == (0, 0, 5, 1)
    with pytest.raises(SettingError, match=words):
        dv.explore(TRACE, place=place)
    with pytest.raises(SettingError, match=words):
        viewer.show(TRACE, place=place)
    assert where(viewer) == (0, 0, 0, -1), "it is shown all the same, from its start"
    assert viewer.frame_of == [viewer.page["number"], 0, 0]


def test_views_and_words_that_there_are_not():
    with pytest.raises(SettingError, match="there are no views 'half'; choose from all, canvas"):
        dv.explore(TRACE, views="half")
    with pytest.raises(SettingError, match="there are no views"):
        dv.compare(TRACE, TRACE, views="")
    with pytest.raises(traitlets.TraitError):
        dv.explore(TRACE).quantity = "magic"
    assert dv.explore(TRACE, views="canvas").views == "canvas"
    with pytest.raises(SettingError, match="tokens in a row of -1 is out of range"):
        dv.explore(TRACE, row=-1)
    assert dv.explore(TRACE, row=5).row == 5


def test_what_the_page_says_is_taken_as_it_is(viewer):
    heard = []
    viewer.observe(lambda change: heard.append((change["name"], change["new"])), ["canvas", "step", "position"])
    viewer.set_state({"canvas": 1, "step": 2, "position": 3})
    assert where(viewer) == (0, 1, 2, 3)
    assert heard == [("canvas", 1), ("step", 2), ("position", 3)], "the step of another canvas comes with it"


def test_what_the_page_says_too_late_of_another_trace_changes_nothing_but_the_look(viewer):
    number = viewer.page["number"]
    viewer.set_state({"step": 7, "spoken_of": number})
    viewer.show(TRACE, place={"canvas": 1, "step": 3})
    viewer.set_state({"canvas": 0, "step": 9, "position": 2, "quantity": "flips"})
    assert where(viewer) == (0, 1, 3, -1)
    assert viewer.quantity == "flips"
    viewer.set_state({"step": 2, "spoken_of": viewer.page["number"]})
    assert where(viewer) == (0, 1, 2, -1)


def test_whoever_observes_steps_has_each_told_at_once(viewer):
    def heard(_change):
        pass

    viewer.observe(heard, "canvas")
    assert not viewer.followed
    for names in ("step", ["position", "quantity"], traitlets.All):
        viewer.observe(heard, names)
        assert viewer.followed
        viewer.unobserve(heard, names)
        assert not viewer.followed


def test_a_finding_leads_to_its_place(solved):
    viewer = dv.explore(solved, f"{SOLVED[:12]}9{SOLVED[13:]}")
    found = viewer.diagnosis.findings
    index = next(n for n, finding in enumerate(found) if 12 in finding.positions)
    viewer.finding = index
    assert (viewer.position, viewer.step) == (found[index].positions[0], found[index].step)
    viewer.finding = -1
    assert viewer.position == found[index].positions[0], "closing a finding leaves the view where it is"
    with pytest.raises(SettingError, match="there is no finding 99"):
        viewer.finding = 99
    viewer.finding = index
    viewer.show(solved)
    assert viewer.finding == -1


def test_a_finding_in_another_sample_and_canvas_is_reached(viewer):
    from dgemma_viz.diagnosis import Finding, Severity

    there = Finding(Severity.ERROR, "", sample=1, canvas=0, step=5, positions=(5, 7))
    object.__setattr__(viewer.diagnosis, "findings", (there,))
    viewer.go(canvas=1)
    viewer.finding = 0
    assert where(viewer) == (1, 0, 5, 5)


def test_without_a_reference_the_list_says_what_it_could_not_look_for():
    assert "reference" in dv.explore(TRACE).page["findings"]["remark"]


def test_the_jump_goes_to_the_first_difference(compared):
    first = compared.first_difference
    compared.go(canvas=1)
    compared.jump_to_first()
    assert where(compared) == (0, first.canvas, first.step, first.positions[0])
    same = dv.compare(TRACE, TRACE, place={"step": 3})
    same.jump_to_first()
    assert (same.first_difference, same.step) == (None, 3)


def test_steps_of_a_pair_go_to_the_end_of_the_longer_run(compared):
    compared.step = 9
    compared.canvas = 1
    compared.step = 8
    with pytest.raises(SettingError, match="there is no step 9 here"):
        compared.step = 9


# -- closing, and what is loaded -----------------------------------------------------------------------------------


def test_a_model_needs_its_tokenizer():
    with pytest.raises(SettingError, match="both model and tokenizer"):
        dv.explore(TRACE, model=object())


def in_a_fresh_interpreter(*lines):
    script = "\n".join(["import sys, dgemma_viz as dv", "from tests.synthetic import synthetic_trace", *lines])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_a_trace_is_explored_and_compared_without_what_that_does_not_need_and_an_interpreter_ends_silently():
    loaded = in_a_fresh_interpreter(
        "trace = synthetic_trace()",
        "viewer = dv.explore(trace, place={'step': 1, 'position': 1})",
        "both = dv.compare(trace, trace)",
        "import dgemma_viz.widgets.watcher",
        "print(*sys.modules)",
    )
    unneeded = {"torch", "transformers", "nbformat", "kaleido", "jsonschema", "dgemma_viz.labs"}
    assert not unneeded & set(loaded)


def test_plotly_shows_figures_and_draws_pictures_as_ever():
    """Nothing of it was put off or replaced for the viewer's sake."""
    shown = in_a_fresh_interpreter(
        "import contextlib, io, plotly.graph_objects as go, plotly.io",
        "dv.explore(synthetic_trace())",
        "plotly.io.renderers.default = 'plotly_mimetype'",
        "with contextlib.redirect_stdout(io.StringIO()): go.Figure(go.Scatter(y=[1, 2])).show()",
        "print('nbformat' in sys.modules)",
    )
    assert shown == ["True"]


def test_a_trace_that_cannot_be_shown_whole_raises_where_it_was_asked_for(monkeypatch):
    def broken(*_args):
        raise MemoryError("no memory")

    monkeypatch.setattr(Trace, "canvas_run", broken)
    with pytest.raises(MemoryError):
        dv.explore(replace(TRACE))
