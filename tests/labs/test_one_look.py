"""One pass over a noised answer: noise as ordered, and counts that agree with the model's own logits."""

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.one_look import clean_canvas, one_look
from dgemma_viz.labs.prompts import encode
from dgemma_viz.tiny.tasks import TASKS

STORY = TASKS["story"].example_prompts[1]
ANSWER = TASKS["story"].right_answer(STORY)


@pytest.fixture(scope="module")
def loaded():
    return dv.load_tiny()


def test_the_noise_is_what_was_asked_for(loaded):
    table = one_look(*loaded, STORY, ANSWER, (0.0, 0.5, 1.0))
    assert table["noise"].iloc[0] == 0
    assert table["noise"].iloc[1] == pytest.approx(0.5, abs=0.05)
    assert table["noise"].iloc[2] > 0.95
    assert np.isnan(table["restored"].iloc[0])
    assert table["loss"].is_monotonic_increasing


def test_without_noise_it_is_a_plain_pass_over_the_answer(loaded):
    model, tokenizer = loaded
    clean = clean_canvas(tokenizer, ANSWER, model.config.canvas_length)
    with torch.no_grad():
        logits = model(**encode(tokenizer, STORY), decoder_input_ids=torch.from_numpy(clean[None])).logits[0]
    right = logits.argmax(-1).numpy() == clean
    length = int((clean != tokenizer.eos_token_id).sum()) + 1
    row = one_look(model, tokenizer, STORY, ANSWER, [0.0], copies=1).iloc[0]
    assert row["left_alone"] == pytest.approx(right[:length].mean())
    chosen = logits.log_softmax(-1)[torch.arange(len(clean)), torch.from_numpy(clean)]
    assert row["loss"] == pytest.approx(-float(chosen.mean()), rel=1e-4)


def test_an_answer_that_does_not_fit_is_refused(loaded):
    with pytest.raises(SettingError, match="does not fit"):
        clean_canvas(loaded[1], ANSWER, 3)
