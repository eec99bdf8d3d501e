"""What a pass believes of noise and text: counts that agree with the model's own logits, and noise as ordered."""

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.one_look import clean_canvas
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.telling_noise import doubts, restored_from_masks, telling_noise
from dgemma_viz.tiny.tasks import TASKS, sample_example


@pytest.fixture(scope="module")
def loaded():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def sudokus():
    random = np.random.default_rng(3)
    return [sample_example(TASKS["sudoku"], random, held_out=True) for _ in range(6)]


def test_a_doubt_is_what_the_token_lacks_of_certainty(loaded, sudokus):
    model, tokenizer = loaded
    prompt, answer = sudokus[0].prompt, sudokus[0].answer
    canvas = clean_canvas(tokenizer, answer, model.config.canvas_length)
    canvas[3] = canvas[0]
    with torch.no_grad():
        chances = model(**encode(tokenizer, prompt), decoder_input_ids=torch.from_numpy(canvas[None])).logits[0]
    expected = 1 - chances.softmax(-1).numpy()[np.arange(len(canvas)), canvas]
    found = doubts(model, tokenizer, prompt, canvas)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found[3] == found[: len(answer)].max(), "the digit that does not fit"


def test_the_noise_is_as_ordered_and_is_doubted_more_than_text(loaded, sudokus):
    table = telling_noise(*loaded, sudokus, (0.0, 0.5, 1.0))
    assert table["noise"].tolist() == pytest.approx([0, 0.5, 1], abs=0.08)
    middle = table.iloc[1]
    assert middle["doubt_text"] < middle["suspected"] < middle["doubt_noise"]
    assert middle["entropy_text"] < middle["entropy_noise"]
    assert 0.5 < middle["low"] <= middle["told_apart"] <= middle["high"] <= 1
    assert middle["suspected"] == pytest.approx(middle["noise"], abs=0.2)
    assert np.isnan(table.loc[0, ["doubt_noise", "told_apart", "restored"]].astype(float)).all()


def test_the_whole_is_made_of_its_parts(loaded, sudokus):
    row = telling_noise(*loaded, sudokus, (0.4,), copies=2).iloc[0]
    both = row["noise"] * row["doubt_noise"] + (1 - row["noise"]) * row["doubt_text"]
    assert row["suspected"] == pytest.approx(both, abs=1e-6)


def test_the_padding_of_shorter_prompts_is_not_read(loaded):
    short, long = (sample_example(TASKS[name], np.random.default_rng(3), held_out=True) for name in ("sort", "story"))
    both = telling_noise(*loaded, [short, long], (0.0,), copies=1).iloc[0]
    alone = [telling_noise(*loaded, [one], (0.0,), copies=1).iloc[0] for one in (short, long)]
    tokens = [len(loaded[1](one.answer, add_special_tokens=False)["input_ids"]) + 1 for one in (short, long)]
    assert both["suspected"] == pytest.approx(np.average([one["suspected"] for one in alone], weights=tokens), abs=1e-5)


def test_masks_are_restored_and_counted():
    model, tokenizer = dv.load_tiny("masked")
    random = np.random.default_rng(3)
    examples = [sample_example(TASKS["sort"], random, held_out=True) for _ in range(8)]
    table = restored_from_masks(model, tokenizer, examples, (0.0, 0.5, 1.0))
    assert table["masked"].iloc[0] == 0
    assert np.isnan(table["restored"].iloc[0])
    assert table["masked"].iloc[2] == 1
    assert (table["restored"].iloc[1:] > 0.9).all()
    assert (table["low"].iloc[1:] <= table["restored"].iloc[1:]).all()


def test_nothing_to_look_at_is_refused(loaded):
    with pytest.raises(SettingError, match="no examples"):
        telling_noise(*loaded, [], (0.5,))
