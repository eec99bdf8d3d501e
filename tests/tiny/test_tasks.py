import re

import numpy as np
import pytest

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks import (
    OPEN_TASKS,
    TASKS,
    TAUGHT_TASKS,
    different_examples,
    is_held_out,
    sample_example,
    task_of,
)
from dgemma_viz.tiny.tasks.sudoku import all_grids
from dgemma_viz.tiny.tokenizer import build_tokenizer

TALE = " Tom has a red kite. Mia is in the park. Mia has a blue hat. Tom is in the barn. The blue hat is in the park."
EVERY_TASK = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())


def _examples(task, count=200, seed=0):
    rng = np.random.default_rng(seed)
    return [task.sample(rng) for _ in range(count)]


@EVERY_TASK
def test_samples_are_valid_and_their_answers_right(task):
    for example in _examples(task):
        task.validate_prompt(example.prompt)
        assert task.check(example.prompt, example.answer)
        assert task_of(example.prompt) is task


@EVERY_TASK
def test_right_answers_are_right_and_near_the_completion(task):
    for example in _examples(task, 60):
        assert task.check(example.prompt, task.right_answer(f"<bos>{example.prompt}"))
        assert task.right_answer(example.prompt, example.answer) == example.answer
    with pytest.raises(PromptError):
        task.right_answer("nonsense")


def test_of_several_solutions_the_nearest_is_the_right_answer():
    grid = all_grids()[137]
    solution = "/".join("".join(map(str, row)) for row in grid.reshape(4, 4))
    assert TASKS["sudoku"].right_answer("sudoku ____/____/____/____=", solution) == solution


@EVERY_TASK
def test_sampling_is_a_function_of_the_generator(task):
    assert _examples(task, 5, seed=7) == _examples(task, 5, seed=7)
    assert _examples(task, 5, seed=7) != _examples(task, 5, seed=8)


@EVERY_TASK
def test_perturbed_answers_are_rejected(task):
    rng = np.random.default_rng(1)
    for example in _examples(task, 60):
        assert not task.check(example.prompt, "")
        assert not task.check(example.prompt, example.answer + "1")
        assert not task.check(example.prompt, example.answer[:-1])
        position = int(rng.integers(1, len(example.answer)))
        wrong = "2" if example.answer[position] != "2" else "3"
        if example.answer[position] != " ":
            perturbed = example.answer[:position] + wrong + example.answer[position + 1 :]
            assert not task.check(example.prompt, perturbed), perturbed


@EVERY_TASK
def test_example_prompts_are_valid_and_not_trained_on(task):
    assert len(task.example_prompts) >= 2
    for prompt in task.example_prompts:
        task.validate_prompt(prompt)
        assert is_held_out(task, prompt)


@EVERY_TASK
def test_training_and_held_out_prompts_are_disjoint(task):
    rng = np.random.default_rng(2)
    trained = {task.split_key(sample_example(task, rng, held_out=False).prompt) for _ in range(2000)}
    held_out = {task.split_key(sample_example(task, rng, held_out=True).prompt) for _ in range(200)}
    assert not trained & held_out


@pytest.mark.parametrize("held_out", [True, False])
def test_different_examples_have_different_prompts_on_one_side_of_the_split(held_out):
    found = different_examples(TASKS["grid"], np.random.default_rng(5), 12, held_out=held_out)
    assert len({example.prompt for example in found}) == 12
    assert all(is_held_out(TASKS["grid"], example.prompt) == held_out for example in found)
    again = different_examples(TASKS["grid"], np.random.default_rng(5), 12, held_out=held_out)
    assert again == found


class FewGrids(type(TASKS["grid"])):
    """Grids that are empty or nearly."""

    most_clues = 1


def test_a_task_with_few_prompts_gives_them_again():
    found = different_examples(FewGrids(), np.random.default_rng(5), 40, held_out=True)
    prompts = list(dict.fromkeys(example.prompt for example in found))
    assert 1 < len(prompts) < 40
    assert found == [found[number % len(prompts)] for number in range(40)]


@pytest.mark.parametrize(
    ("name", "prompt", "complaint"),
    [
        ("sudoku", "sudoku 1234", "four rows"),
        ("sudoku", "sudoku 11__/____/____/____=", "no solution"),
        ("addition", "add 12+345=", "100 to 999"),
        ("addition", "add 012+345=", "100 to 999"),
        ("sort", "sort 12=", "4 to 10 digits"),
        ("story", "story Tom has a red kite.", "question"),
        ("story", "story Tom has a red kite. Tom has a blue hat. Who has the hat?", "at most once"),
        ("story", "story Tom has a red kite. Ann is in the park. Who has the hat?", "does not answer"),
        ("long", "list Tom: (a) red kite", "7 to 14"),
        (
            "long",
            "list Tom: (a) red kite (c) red kite (b) red hat (d) red cup (e) red cup (f) red cup (g) red cup",
            "in order",
        ),
        ("grid", "grid 1234", "4 rows of 4"),
        ("grid", "grid 11__/____/____/____=", "No grid keeps"),
        ("grid6", "grid6 ____/____/____/____=", "6 rows of 6"),
        ("sums", "sums __+__=__:", "3 to 5 forms"),
        ("sums", "sums 9_+__=__/__+__=__/__+__=__:", "has the form"),
        ("tale", "tale Tom Tom:", "two different names"),
        ("tale", "tale Tom kite Ann kite:", "different things"),
        ("gifts", "gifts 9:", "from 5 to 8"),
        ("gifts", "gifts 6: Tom red. Tom kite.", "twice"),
        ("brackets", "brackets 17 3:", "even length"),
        ("brackets", "brackets 16 2:([{", "deeper"),
        ("brackets", "brackets 16 2:(]", "not open"),
        ("pairs", " hat Tom red", "in pairs"),
        ("pairs", " hat Tom hat Eva", "different first words"),
        ("story cues", "tale Tom Mia park:", "Write 'story'"),
    ],
)
def test_bad_prompts_are_named(name, prompt, complaint):
    with pytest.raises(PromptError, match=complaint):
        TAUGHT_TASKS[name].validate_prompt(prompt)
    assert not TAUGHT_TASKS[name].check(prompt, "1")


def test_unknown_task_is_named():
    with pytest.raises(PromptError, match="'hello'"):
        task_of("hello world")


def test_there_are_288_grids():
    assert len(np.unique(all_grids(), axis=0)) == 288


def test_sudoku_with_several_solutions_accepts_each_of_them():
    prompt = "sudoku ____/____/____/____="
    for grid in all_grids()[::40]:
        text = "".join(map(str, grid))
        assert TASKS["sudoku"].check(prompt, "/".join(text[row : row + 4] for row in (0, 4, 8, 12)))
    assert not TASKS["sudoku"].check(prompt, "1234/1234/1234/1234")


def test_addition_accepts_the_sum_with_or_without_alignment():
    assert TASKS["addition"].check("add 347+285=", " 632")
    assert TASKS["addition"].check("add 347+285=", "632")
    assert not TASKS["addition"].check("add 347+285=", "0632")


def test_facts_about_a_person_may_come_in_any_order():
    prompt = "story Tom has a red kite. Tom is in the park. Ann is in the shop. Tell me about Tom."
    assert TASKS["story"].check(prompt, " Tom is in the park. Tom has a red kite.")
    assert not TASKS["story"].check(prompt, " Tom is in the park.")


def test_order_of_the_numbers_does_not_move_a_prompt_across_the_split():
    assert is_held_out(TASKS["addition"], "add 123+456=") == is_held_out(TASKS["addition"], "add 456+123=")


EXERCISES = {name: TAUGHT_TASKS[name] for name in ("pairs", "story cues")}
TAUGHT_OPEN = {
    name: task for name, task in TAUGHT_TASKS.items() if name in OPEN_TASKS or name not in {*TASKS, *EXERCISES}
}
EVERY_OPEN_TASK = pytest.mark.parametrize("task", TAUGHT_OPEN.values(), ids=TAUGHT_OPEN.keys())


@EVERY_OPEN_TASK
def test_a_prompt_has_many_right_answers_and_a_spoilt_one_is_led_back_to_one_near_it(task):
    rng = np.random.default_rng(3)
    for example in _examples(task, 40):
        signs = list(example.answer)
        for place in rng.choice(len(signs), 4, replace=False):
            signs[place] = signs[rng.integers(len(signs))]
        spoilt = "".join(signs)
        near = task.right_answer(example.prompt, spoilt)
        assert task.check(example.prompt, near)
        assert spoilt == near or not task.check(example.prompt, spoilt)
    few = [task.right_answer(task.example_prompts[0], example.answer) for example in _examples(task, 20)]
    assert len(set(few)) > 10


@pytest.mark.parametrize(
    ("prompt", "right", "wrong"),
    [
        ("grid 1___/____/____/____=", "1234/3412/2143/4321", "2134/3412/1243/4321"),  # the clue is lost
        ("grid ____/____/____/____=", "1234/3412/2143/4321", "1234/2341/3412/4123"),  # a box repeats
        ("sums __+__=40/__+__=__/__+__=__:", "15+25=40/10+10=20/11+12=23", "15+25=40/10+10=20/20=10+10"),
        ("sums __+__=40/__+__=__/__+__=__:", "15+25=40/10+10=20/11+12=23", "15+25=40/10+10=20/10+10=20"),
        (
            "tale Tom Mia park:",
            f"{TALE} Tom has the red kite in the barn.",
            f"{TALE} Tom has the gold kite in the barn.",
        ),
        (
            "gifts 5: Tom red.",
            " Ann blue hat. Tom red kite. Sam gold cup. Eva pink drum. Max grey doll.",
            " Ann blue hat. Tom red kite. Sam gold cup. Eva pink drum. Max grey hat.",
        ),
        ("brackets 16 3:([", "([]{[]})()()[]{}", "([]{[}])()()[]{}"),
        ("brackets 16 3:([", "([]{[]})()()[]{}", "([]{})()()()[]{}"),  # not deep enough
    ],
)
def test_what_must_agree_is_checked(prompt, right, wrong):
    task = TAUGHT_TASKS[prompt.split()[0]]
    assert task.check(prompt, right)
    assert not task.check(prompt, wrong)
    assert task.check(prompt, task.solve(prompt, wrong))


def test_a_list_with_missing_stops_is_read_by_its_places():
    """As among the accepted tokens of a step, where ``?`` stands for what is not decided yet."""
    rows = TASKS["gifts"].solve("gifts 5:", " Tom ? kite ? ? red ? . Ann blue kite ? ? ? ? .").split(".")
    assert rows[0].startswith(" Tom ")
    assert rows[0].endswith(" kite")
    assert " red " in rows[1]
    assert rows[2].startswith(" Ann blue ")
    assert not rows[2].endswith(" kite")


@pytest.mark.parametrize("task", EXERCISES.values(), ids=EXERCISES.keys())
def test_an_exercise_repeats_what_its_prompt_says_and_nothing_else(task):
    for example in _examples(task, 20):
        task.validate_prompt(example.prompt)
        assert task.check(example.prompt, example.answer)
        assert task.check(example.prompt, task.solve(example.prompt))
        # Another word in the last place, which the prompt decides.
        assert not task.check(example.prompt, f"{example.answer.rsplit(' ', 1)[0]} again")


def _answers(story, prompt):
    try:
        story.validate_prompt(prompt)
    except PromptError:
        return False
    return True


def test_cues_ask_nothing_that_is_held_out():
    story, asked = TASKS["story"], 0
    for example in _examples(TAUGHT_TASKS["story cues"], 40):
        for cue, first, last in re.findall(r" (Who|What|Where|colour) (\w+) (\w+)", example.answer):
            questions = {
                "Who": (f"Who has the {first}?", f"Who is in the {first}?"),
                "What": (f"What does {first} have?",),
                "Where": (f"Where is {first}?",),
                "colour": (f"What colour is the {first}?",),
            }[cue]
            prompts = [f"{example.prompt} {question}" for question in questions]
            (prompt,) = [prompt for prompt in prompts if _answers(story, prompt)]
            assert not is_held_out(story, prompt)
            assert last in story.solve(prompt).split()
            asked += 1
    assert asked == 400


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.row], ids=lambda task: task.name)
def test_a_line_of_an_answer_is_as_long_as_the_task_says(task):
    tokenizer = build_tokenizer()
    for example in _examples(task, 20):
        ids = tokenizer.encode(example.answer, add_special_tokens=False)
        ends = [place for place, text in enumerate(map(tokenizer.decode, ids)) if text in "/."]
        assert ends == list(range(task.row - 1, len(ids), task.row))


def test_clashes_of_a_grid_that_is_half_written():
    grid = TASKS["grid"]
    assert grid.clashes("1234/3412/2143/4321") == ()
    assert grid.clashes("1_1_/____/1__2/2___") == ((0, 2), (0, 10))
    assert grid.clashes("1___/_1__/____/____") == ((0, 6),)
    assert TAUGHT_TASKS["grid6"].clashes("1_____/__1___/______/______/______/_____1") == ((0, 9),)
    with pytest.raises(PromptError, match="4 rows of 4"):
        grid.clashes("1234/3412")
