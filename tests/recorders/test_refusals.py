"""What cannot be recorded is refused at once, with a remedy."""

import subprocess
import sys

import pytest

from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.recorders import record
from tests.recorders.conftest import prompts, small_tokenizer


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(None, "a NoneType"), ("google/diffusiongemma", "a str"), (dict, "the class dict")],
)
def test_a_model_of_another_class(wrong, named):
    with pytest.raises(RecordingError, match=rf"cannot record {named}.*DiffusionGemmaForBlockDiffusion"):
        record(wrong)


def test_another_torch_module(model):
    with pytest.raises(RecordingError, match="a Linear"):
        record(model.lm_head)


def test_nothing_recorded_yet(model):
    with (
        record(model) as recording,
        pytest.raises(RecordingError, match=r"call the model's generate\(\).*inside the 'with' block"),
    ):
        _ = recording.trace


@pytest.mark.parametrize(
    ("size", "eos", "message"), [(65, "<eos>", "65 tokens.*only 64"), (50, "<eos>", "only 50.*64")]
)
def test_a_tokenizer_of_another_size(model, size, eos, message):
    with pytest.raises(RecordingError, match=message + ".*tokenizer=None"):
        record(model, small_tokenizer(size, eos))


def test_a_tokenizer_with_another_end_of_sequence(model):
    tokenizer = small_tokenizer()
    tokenizer.eos_token = chr(ord("a") + 25)
    with pytest.raises(RecordingError, match=r"ends a sequence with token 30.*\[1, 2, 3, 11\]"):
        record(model, tokenizer)


def test_not_a_tokenizer(model):
    with pytest.raises(RecordingError, match="a str is not a tokenizer"):
        record(model, "tokenizer")


def test_a_slightly_smaller_tokenizer_will_do(model):
    """Models pad their vocabulary; ids without a token have no text."""
    tokenizer = small_tokenizer(60)
    with record(model, tokenizer) as recording:
        model.generate(**prompts(1))
    ids = set(recording.trace.noised.ravel().tolist())
    assert any(token >= 60 for token in ids)
    assert max(recording.trace.token_texts) < 60
    assert recording.trace.token_text(63) == "⟨63⟩"


def test_added_tokens_beyond_a_large_vocabulary_will_do():
    from dgemma_viz.trace.tokenizer import check_tokenizer

    class Large:
        vocab_size = 1000
        eos_token_id = None

        def __init__(self, size):
            self.size = size

        def __len__(self):
            return self.size

        def decode(self, _ids):
            return ""

    check_tokenizer(Large(1008), 1000, ())
    with pytest.raises(RecordingError, match="1,100 tokens"):
        check_tokenizer(Large(1100), 1000, ())


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_out_of_range(model, top_k):
    with pytest.raises(SettingError, match="top_k"):
        record(model, top_k=top_k)


def test_task_facts_must_be_json(model):
    with pytest.raises(RecordingError, match="JSON"):
        record(model, task={"answer": object()})


def test_importing_the_layer_imports_no_torch():
    script = (
        "import sys, dgemma_viz.recorders as r; r.record; r.StepRecord; r.StaleSamplerWarning\n"
        "try: r.record('a model')\n"
        "except r.recording.RecordingError: pass\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
