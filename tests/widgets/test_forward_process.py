"""The slider of the forward process: noise grows with t, and is that of the training batches."""

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.tiny.batches import add_noise
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.widgets.forward_process import ForwardProcess

tokenizer = pytest.fixture(scope="module")(lambda: dv.load_tiny()[1])


@pytest.fixture
def view(tokenizer):
    task = TASKS["story"]
    return ForwardProcess(tokenizer, task.right_answer(task.example_prompts[1]), 48)


def noised_at(view, level):
    view.level.value = level
    return view.noised


def test_the_clean_canvas_is_the_answer_filled_up(view, tokenizer):
    assert len(view.clean) == 48
    assert (view.clean == tokenizer.eos_token_id).any()
    assert (np.diff((view.clean == tokenizer.eos_token_id).astype(int)) >= 0).all(), "fill stands behind the answer"


def test_without_noise_it_is_the_answer_and_what_is_noise_stays_noise_as_t_rises(view):
    assert (noised_at(view, 0.0) == view.clean).all()
    before = np.zeros(48, dtype=bool)
    for level in np.linspace(0, 1, 11):
        now = noised_at(view, float(level)) != view.clean
        assert not (before & ~now).any()
        before = now
    assert before.mean() > 0.9


def test_it_is_the_noise_of_the_training_batches_and_is_counted(view, tokenizer):
    expected = add_noise(view.clean[None], np.array([0.5]), np.random.default_rng(0), len(tokenizer))[0]
    assert (noised_at(view, 0.5) == expected).all()
    assert f"{(expected != view.clean).sum()} of 48 tokens" in view.said.value
    assert view.said.value.count("dgw-noise") - 1 == (expected != view.clean).sum()


def test_other_random_numbers_are_a_press_away(view):
    first = noised_at(view, 0.5)
    view.again.click()
    assert (view.noised != first).any()


def test_beside_it_stand_the_same_canvas_with_masks_and_what_a_model_doubts(view, tokenizer):
    seen = []

    def doubts(noised):
        seen.append(noised)
        return np.where(noised == view.clean, 0.25, 0.75)

    answer = "".join(tokenizer.convert_ids_to_tokens(view.clean[view.clean != tokenizer.eos_token_id].tolist()))
    more = ForwardProcess(tokenizer, answer, 48, mask="<mask>", doubts=doubts)
    noise = int((noised_at(more, 0.4) != more.clean).sum())
    assert (seen[-1] == more.noised).all()
    rows = [part for part in more.said.value.split("dgw-caption") if "</span>" in part]
    masked, doubted = rows[-2:]
    assert masked.count("&lt;mask&gt;") == noise
    assert doubted.count("dgw-suspected") == noise
    assert doubted.count("--dgw-doubt:75%") == noise
    assert f"add up to {0.25 * 48 + 0.5 * noise:.1f}" in more.said.value
