"""What a reader tries is judged by a run, and told as it came out."""

from dgemma_viz.errors import SettingError
from dgemma_viz.widgets.own_try import OwnTry


def judge(given):
    if not given.isdigit():
        raise SettingError("write a number of steps")
    return int(given) > 4, f"{given} steps: {'right' if int(given) > 4 else 'wrong'} answer"


def answered(exercise, text):
    exercise.given.value = text
    exercise.check.click()
    return exercise.said.value


def test_the_run_decides_and_is_told():
    exercise = OwnTry("Which number of steps is enough?", judge, "9")
    assert "Not yet. 3 steps: wrong answer" in answered(exercise, "3")
    assert not exercise.solved
    assert "Right. 7 steps: right answer" in answered(exercise, "7")
    assert exercise.solved


def test_what_cannot_be_tried_says_why_and_an_example_is_at_hand():
    exercise = OwnTry("Which number of steps is enough?", judge, "9")
    assert "write a number" in answered(exercise, "many")
    answered(exercise, "1")
    exercise.reveal.click()
    assert "It is 9." in exercise.said.value
