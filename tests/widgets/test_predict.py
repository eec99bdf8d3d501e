"""A question is answered before what it is about is made, judged by the run, and changed only as an afterthought."""

import logging

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from ipywidgets import HTML, VBox
from playwright.sync_api import expect

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.predict import Choose, Guess, Mark
from dgemma_viz.widgets.prediction import NEEDS_A_PAGE
from dgemma_viz.widgets.viewer import Viewer
from tests.accessibility import assert_accessible, assert_accessible_in_both_looks
from tests.browser import assert_fits, open_page
from tests.hostile_page import HARM, HARMLESS
from tests.hostile_text import EVERYTHING
from tests.synthetic import synthetic_trace

STEP = 3


@pytest.fixture(scope="module")
def trace():
    return synthetic_trace(length=12, steps=8, seed=3)


@pytest.fixture(scope="module")
def accepted(trace):
    return np.flatnonzero(trace.canvas_run().array("accepted")[STEP]).tolist()


class Made:
    """Content that knows whether it was made, and how often."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return "what follows"


def texts_of(widget):
    return "".join(getattr(part, "value", "") + texts_of(part) for part in getattr(widget, "children", ()))


def is_hidden(gate):
    return gate.children[1].layout.display == "none" and gate.children[1].children == ()


@pytest.fixture
def made():
    return Made()


@pytest.fixture
def chosen(made):
    return Choose("Which?", ["fewer", "more"], lambda: "more", made, because="It is so.")


def test_nothing_is_made_before_an_answer(chosen, made):
    assert is_hidden(chosen)
    chosen.predict.click()
    assert "Choose one first" in chosen.said.value
    assert (made.times, chosen.shown, chosen.first) == (0, False, None)


def test_a_widget_that_is_there_already_is_hidden_all_the_same():
    inside = HTML("<b>here</b>")
    gate = Guess("How many?", lambda: 1, inside)
    assert is_hidden(gate)
    gate.skip.click()
    assert gate.children[1].children == (inside,)


def test_an_answer_shows_what_was_said_what_was_right_and_what_follows(chosen, made):
    chosen.choice.value = "more"
    assert is_hidden(chosen), "choosing is not answering"
    chosen.predict.click()
    assert chosen.shown
    assert chosen.first == "more"
    assert "You predicted “more”: ✓" in chosen.said.value
    assert "It is so." in chosen.said.value
    assert "what follows" in texts_of(chosen.children[1])
    assert made.times == 1


def test_a_wrong_one_gets_the_same_explanation(chosen):
    chosen.choice.value = "fewer"
    chosen.predict.click()
    assert "You predicted “fewer”: ✗ it was “more”." in chosen.said.value
    assert "It is so." in chosen.said.value


def test_another_answer_counts_as_given_afterwards(chosen, made):
    chosen.choice.value = "fewer"
    chosen.predict.click()
    chosen.predict.click()
    assert chosen.later is None
    chosen.choice.value = "more"
    chosen.predict.click()
    assert (chosen.first, chosen.later, made.times) == ("fewer", "more", 1)
    assert "You predicted “fewer”: ✗" in chosen.said.value
    assert "Afterwards you predicted “more”: ✓" in chosen.said.value


def test_in_a_hurry_it_is_shown_without_an_answer_and_later_ones_are_afterwards(chosen):
    chosen.skip.click()
    assert chosen.shown
    assert "without a prediction. It was “more”." in chosen.said.value
    chosen.choice.value = "more"
    chosen.predict.click()
    assert chosen.first is None
    assert "Afterwards you predicted “more”" in chosen.said.value


def test_it_can_be_hidden_and_shown_again_without_being_made_again(chosen, made):
    for shown in (True, False, True):
        chosen.skip.click()
        assert chosen.shown is shown
        assert (chosen.children[1].layout.display is None) is shown
    assert made.times == 1


def test_whether_it_is_shown_can_be_observed(chosen):
    told = []
    chosen.observe(lambda change: told.append(change["new"]), "shown")
    chosen.skip.click()
    assert told == [True]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("14", "✓ near enough. It was 13 steps."), ("13 steps", "13 steps: ✓ exactly."), ("20", "20 steps: ✗ it was 13 ")],
)
def test_a_number_is_judged_with_its_tolerance(typed, said):
    gate = Guess("How many?", lambda: 13, tolerance=2, unit="steps")
    gate.field.value = typed
    gate.predict.click()
    assert said in gate.said.value


def test_without_a_tolerance_it_stands_beside_what_was_measured():
    gate = Guess("What share?", lambda: 100 / 3, unit="%")
    gate.field.value = "50%"
    gate.predict.click()
    assert "You predicted 50%; measured: 33.33%." in gate.said.value
    assert gate.said.value.count("✓") + gate.said.value.count("✗") == 0


def test_what_is_no_number_shows_nothing():
    gate = Guess("How many?", lambda: 3, "what follows")
    gate.field.value = "many <b>"
    gate.predict.click()
    assert "is not a number" in gate.said.value
    assert "<b>" not in gate.said.value
    assert not gate.shown


def test_marks_are_held_against_the_recorded_decision(trace, accepted):
    rest = [position for position in range(12) if position not in accepted]
    assert len(accepted) > 1
    assert rest
    gate = Mark("Which?", trace, STEP)
    gate.predict.click()
    assert "Mark at least one" in gate.said.value
    assert gate.tokens.accepted == [], "the page does not know it yet"
    gate.tokens.marked = [*accepted[1:], rest[0]]
    gate.predict.click()
    score = gate.tokens.score(gate.first)
    assert score == (tuple(accepted[1:]), (accepted[0],), (rest[0],))
    assert f"{len(accepted) - 1} hit, 1 missed, 1 wrongly marked." in gate.said.value
    assert f"The sampler accepted {len(accepted)} of these 12 tokens." in gate.said.value
    assert gate.tokens.accepted == accepted
    gate.tokens.marked = accepted
    gate.predict.click()
    assert f"Afterwards you marked {len(accepted)} tokens: ✓" in gate.said.value


def test_a_token_has_the_draft_of_the_step_and_its_confidence_where_that_is_asked_for(trace):
    run = trace.canvas_run()
    bare, shaded = (Mark("Which?", trace, STEP, confidence=asked).tokens.tokens for asked in (False, True))
    assert [token["share"] for token in bare] == [None] * 12
    assert [token["share"] for token in shaded] == pytest.approx(run.array("confidence")[STEP], abs=1e-3)
    drafts = [run.token_text(token).replace(" ", "␣") for token in run.array("draft")[STEP]]
    assert [token["text"] for token in bare] == drafts
    assert Mark("Which?", trace, STEP, row=4).tokens.row == 4


def test_only_some_positions_may_be_asked_for(trace, accepted):
    gate = Mark("Which?", trace, STEP, positions=range(4))
    gate.tokens.marked = [0, 2, 11, "x"]
    assert gate.tokens.marked == [0, 2]
    assert gate.tokens.right == tuple(position for position in accepted if position < 4)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (lambda trace: Mark("?", trace, 8), "has no step 8; it has 8, counted from 0"),
        (lambda trace: Mark("?", trace, -1), "has no step -1"),
        (lambda trace: Mark("?", trace, 0, positions=[12]), "has no position 12; it has 12"),
        (lambda trace: Mark("?", trace, 0, positions=[]), "no positions to mark"),
        (lambda trace: Mark("?", trace, 0, row=-1), "tokens in a row of -1 is out of range"),
        (lambda _: Choose("?", [], lambda: "a"), "at least two options"),
        (lambda _: Choose("?", ["a", "a"], lambda: "a"), "each once"),
        (lambda _: Choose("?", ["a", "b"], "a"), "must be a function"),
        (lambda _: Guess("?", 3), "must be a function"),
        (lambda _: Guess("?", lambda: 3, tolerance=-1), "tolerance of -1 is out of range"),
        (lambda _: Guess("?", lambda: 3, 5), "type int cannot be shown here; give a widget"),
    ],
)
def test_bad_use_is_refused(trace, bad, said):
    with pytest.raises(SettingError, match=said):
        bad(trace)


def test_a_canvas_that_is_not_there_is_refused(trace):
    with pytest.raises(TraceError, match="canvas 2 is not in this trace"):
        Mark("?", trace, 0, canvas=2)
    with pytest.raises(TraceError, match=r"Mark\(\)"):
        Mark("?", 5, 0)


def _fails():
    raise ValueError(f"{EVERYTHING} <b>")


@pytest.mark.parametrize(
    ("right", "then", "said"),
    [
        (lambda: "c", None, "none of the options"),
        (lambda: "a", _fails, "ValueError: "),
        (lambda: "a", lambda: 5, "type int cannot be shown here"),
    ],
)
def test_what_cannot_be_worked_out_is_said_and_nothing_is_shown(right, then, said, caplog):
    # pytest-xdist cannot send the half pair in what is logged from a worker to its master.
    caplog.set_level(logging.CRITICAL, logger="dgemma_viz.widgets.prediction")
    gate = Choose("?", ["a", "b"], right, then)
    gate.choice.value = "a"
    gate.predict.click()
    assert said in gate.said.value
    assert "<b>" not in gate.said.value
    assert (gate.shown, gate.first) == (False, None)


def test_a_number_that_a_run_does_not_have_is_said_to_be_missing():
    gate = Guess("?", lambda: float("nan"))
    gate.skip.click()
    assert "does not have the number" in gate.said.value
    assert not gate.shown


def test_figures_tables_viewers_and_lists_can_follow(trace):
    figure, table = go.Figure(), pd.DataFrame({"a <b>": ["<i>x</i>"]})
    gate = Guess("?", lambda: 1, lambda: [figure, table, table.style, Viewer(trace), "words"])
    gate.skip.click()
    ((box,),) = (part.children for part in [gate.children[1]])
    assert isinstance(box, VBox)
    drawn, read, styled, viewer, words = box.children
    assert isinstance(drawn.children[0], Chart)
    assert "&lt;i&gt;" in read.value
    assert "<table" in styled.value
    assert isinstance(viewer, Viewer)
    assert "words" in words.value


def test_a_notebook_keeps_the_question_and_how_to_have_it_asked(trace):
    for gate in (
        Choose("What of `<b>`?", ["<i>a</i>", "b"], lambda: "b"),
        Guess("How many `<b>`?", lambda: 3, unit="<i>"),
        Mark("Which `<b>`?", trace, STEP),
    ):
        still = gate.still()
        assert "<code>&lt;b&gt;</code>" in still
        assert "<i>" not in still
        assert NEEDS_A_PAGE in still
        assert "Prediction" not in repr(gate)


PAGE = f"""
from IPython.display import display
from tests.hostile_text import EVERYTHING, HOSTILE, hostile_trace
from tests.synthetic import synthetic_trace
import pandas as pd
import dgemma_viz as dv
from dgemma_viz.widgets.predict import Choose, Guess, Mark
trace = synthetic_trace(length=40, steps=8, seed=3)
display(
    Mark("Which will be accepted at step {STEP}?", trace, {STEP}, lambda: dv.explore(trace), confidence=True),
    Choose("Which?", ["a longer run than before, in which everything is looked at once more and again", "b"],
           lambda: "b", pd.DataFrame({{f"column_{{n}}": ["some words", True] for n in range(9)}}), because="So it is."),
    Guess("How many?", lambda: 3, lambda: "the words that follow", unit="tokens"),
)
"""
BAD = """
display(
    Mark(EVERYTHING, hostile_trace(), 0, EVERYTHING, confidence=True),
    Choose(EVERYTHING, list(HOSTILE), lambda: HOSTILE[0], EVERYTHING, because=EVERYTHING),
    Guess(EVERYTHING, lambda: 3, EVERYTHING, because=EVERYTHING, unit=HOSTILE[0]),
)
"""


@pytest.fixture(scope="module")
def url(serve):
    with serve([PAGE, BAD]) as url:
        yield url


@pytest.fixture(scope="module", params=[1280, 380])
def page(chromium, url, request):
    with open_page(chromium, url, width=request.param, wait_for=".dgk-token") as visit:
        visit.page.locator(".dgx-predict").nth(5).wait_for()
        yield visit.page
        assert visit.console_errors == []


def gate(page, n):
    return page.locator(".dgx-predict").nth(n)


@pytest.mark.browser
def test_unanswered_questions_are_accessible_and_fit(page):
    assert_accessible_in_both_looks(page)
    assert_fits(page)
    assert page.locator(".dge").count() == 0
    assert page.get_by_text("the words that follow").count() == 0


@pytest.mark.browser
def test_tokens_are_marked_by_keyboard_and_then_told_from_those_accepted(page):
    asked, run = gate(page, 0), synthetic_trace(length=40, steps=8, seed=3).canvas_run()
    accepted = run.array("accepted")[STEP]
    tokens = asked.locator(".dgk-token")
    expect(tokens).to_have_count(40)
    tokens.first.focus()
    page.keyboard.press(" ")
    expect(tokens.first).to_have_attribute("aria-pressed", "true")
    for key in ("ArrowRight", "ArrowRight", "Enter", "End", "Enter", "Enter"):
        page.keyboard.press(key)
    expect(asked.get_by_text("2 of 40 marked")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.dataset.position > 1")
    page.keyboard.press("ArrowUp")
    expect(tokens.first).to_be_focused()
    expect(asked.locator("[data-verdict='hit'], [data-verdict='missed']")).to_have_count(0)
    page.keyboard.press("Tab")
    expect(asked.get_by_role("button", name="Predict", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(asked.get_by_text("You marked 2 tokens")).to_be_visible()
    names = [("wrong", "left"), ("hit", "missed")]
    for position in (0, 1, 2, 3):
        marked = position in (0, 2)
        verdict = names[int(accepted[position])][0 if marked else 1]
        expect(tokens.nth(position)).to_have_attribute("data-verdict", verdict)
    said = tokens.nth(2).get_attribute("aria-label")
    assert "position 2, confidence 0." in said
    assert ("hit" in said) == bool(accepted[2])
    page.locator(".dge .dgv-token").first.wait_for()


@pytest.mark.browser
def test_an_outcome_is_chosen_and_a_number_guessed_by_keyboard(page):
    chosen = gate(page, 1)
    chosen.get_by_role("radio").first.focus()
    page.keyboard.press(" ")
    expect(chosen.get_by_role("radio").first).to_be_checked()
    for _ in ("the other option", "the button"):
        page.keyboard.press("Tab")
    expect(chosen.get_by_role("button", name="Predict", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(chosen.get_by_role("status")).to_contain_text("✗ it was “b”.")
    expect(chosen.get_by_role("button", name="Answer anew")).to_be_focused()
    page.locator("table.mathjax_ignore").wait_for()
    guessed = gate(page, 2)
    guessed.get_by_label("Your guess (tokens)").fill("4")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(guessed.get_by_role("button", name="Show without answering")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("the words that follow")).to_be_visible()
    expect(guessed.get_by_role("button", name="Hide again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("the words that follow")).to_be_hidden()


@pytest.mark.browser
def test_hostile_text_stays_text(page):
    hostile = gate(page, 3)
    hostile.locator(".dgk-token").first.click()
    hostile.get_by_role("button", name="Predict", exact=True).click()
    expect(hostile.get_by_text("You marked 1 token:")).to_be_visible()
    for n in (4, 5):
        gate(page, n).get_by_role("button", name="Show without answering").click()
        expect(gate(page, n).get_by_role("status").last).to_contain_text("without a prediction")
    assert page.evaluate(HARM) == HARMLESS


@pytest.mark.browser
def test_answered_questions_are_accessible_and_fit(page):
    assert_accessible(page)
    assert_fits(page)
