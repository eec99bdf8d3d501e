"""Exercises judge answers as people write them, and say what to do where they cannot."""

import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.widgets.exercises import Exercise, Exercises


def answered(exercise, text):
    exercise.given.value = text
    exercise.check.click()
    return exercise.said.value


@pytest.mark.parametrize("written", ["2304", "2,304", " 2304 ", "2304 positions", "2304.0", "2.304e3"])
def test_a_number_is_understood_as_people_write_it(written):
    exercise = Exercise("How many?", 2304, unit="positions", because="9 × 256.")
    said = answered(exercise, written)
    assert exercise.solved
    assert "Right" in said
    assert "9 × 256." in said


def test_a_number_may_lie_within_the_tolerance_and_no_further():
    exercise = Exercise("What share?", 33.3, unit="%", tolerance=1)
    assert "Not yet" in answered(exercise, "35%")
    assert not exercise.solved
    answered(exercise, "34%")
    assert exercise.solved


def test_what_is_no_number_is_said_to_be_none():
    exercise = Exercise("How many?", 3)
    assert "not a number" in answered(exercise, "three <b>")
    assert "<b>" not in exercise.said.value
    assert not exercise.solved


@pytest.mark.parametrize("written", ["9" * 10_000 + "x", "1," * 5_000, "w" * 10_000])
def test_a_very_long_answer_is_quoted_in_part(written):
    exercise = Exercise("How many?", 3, unit="tokens")
    said = answered(exercise, written)
    assert "…&#x27; is not a number" in said
    assert len(said) < 1000


def test_a_decimal_comma_is_not_taken_for_thousands():
    exercise = Exercise("Which bound?", 5)
    assert "with a point" in answered(exercise, "0,5")
    assert not exercise.solved


def test_a_word_is_compared_without_case_and_spaces():
    exercise = Exercise("Which word?", "entropy bound")
    answered(exercise, "  Entropy   Bound ")
    assert exercise.solved


def test_the_answer_follows_what_the_page_did_last():
    page = {"steps": 3}
    exercise = Exercise("How many steps?", lambda: page["steps"])
    page["steps"] = 5
    assert "Not yet" in answered(exercise, "3")
    answered(exercise, "5")
    assert exercise.solved


def test_a_wrong_answer_brings_the_hint_and_the_way_to_the_right_one():
    exercise = Exercise("Which?", "b", options=["a", "b"], hint="Look again.", because="It is so.")
    assert exercise.reveal.layout.display == "none"
    exercise.check.click()
    assert "Choose one first" in exercise.said.value
    assert "Look again." in answered(exercise, "a")
    assert exercise.reveal.layout.display is None
    exercise.reveal.click()
    assert "It is b. It is so." in exercise.said.value
    assert not exercise.solved


def test_an_answer_that_cannot_be_computed_yet_says_why():
    def nothing_there():
        raise SettingError("press Run first")

    exercise = Exercise("How many?", nothing_there)
    assert "press Run first" in answered(exercise, "3")
    exercise.reveal.click()
    assert "press Run first" in exercise.said.value


def test_an_answer_that_cannot_be_chosen_is_refused():
    with pytest.raises(SettingError, match="none of the options"):
        Exercise("Which?", "c", options=["a", "b"])


def test_solved_exercises_are_counted():
    first, second = Exercise("One?", 1), Exercise("Two?", 2)
    both = Exercises(first, second)
    assert "0 of 2 solved" in both.children[-1].value
    answered(second, "2")
    assert both.solved == 1
    assert "1 of 2 solved" in both.children[-1].value
