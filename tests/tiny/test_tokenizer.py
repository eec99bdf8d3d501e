import numpy as np
import pytest

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import build_tokenizer, encode_prompt
from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID, vocabulary


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_round_trip_of_every_task(tokenizer, task):
    rng = np.random.default_rng(0)
    for _ in range(200):
        example = task.sample(rng)
        for text in (example.prompt, example.answer, example.prompt + example.answer):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert UNKNOWN_ID not in ids
            assert tokenizer.decode(ids) == text
            assert "".join(tokenizer.decode([token]) for token in ids) == text


def test_special_ids(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id) == (
        PAD_ID, EOS_ID, BOS_ID, UNKNOWN_ID,
    )  # fmt: skip
    assert len(tokenizer) == len(vocabulary()) == len(set(vocabulary()))


def test_a_batch_is_padded_on_the_left(tokenizer):
    encoded = encode_prompt(tokenizer, ["sort 4321=", "sort 987654=", "add 111+222="])
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    assert ids.shape == mask.shape
    assert (ids[:, -1] == tokenizer.convert_tokens_to_ids("=")).all()
    assert ids[0, 0] == PAD_ID
    assert mask[0, 0] == 0
    assert mask.sum(1).tolist() == [8, 10, 11]


@pytest.mark.parametrize("prompt", ["", "   ", [], ["sort 4321=", ""]])
def test_an_empty_prompt_is_refused(tokenizer, prompt):
    with pytest.raises(PromptError, match=r"empty|no prompt"):
        encode_prompt(tokenizer, prompt)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("sort 12é4=", "é"),
        ("sort 1234!", "!"),
        ("hello 12", "hello"),
        ("story Bob has", " Bob"),
        ("add 1\n", r"\\n"),
        ("add 日", "日"),
    ],
)
def test_unknown_characters_are_named(tokenizer, prompt, named):
    with pytest.raises(PromptError, match=named):
        encode_prompt(tokenizer, prompt)
