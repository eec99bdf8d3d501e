"""The bundled mask-token model: a standard folder, loaded offline, that answers through the real LLaDA2Pipeline."""

import json
import subprocess
import sys

import pytest
import torch
from diffusers import BlockRefinementScheduler, LLaDA2Pipeline
from transformers import AutoModelForMaskedLM, AutoTokenizer

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.config_file import unwritten_fields
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.masked import MASKED_TASKS
from dgemma_viz.tiny.masked.architecture import masked_config
from dgemma_viz.tiny.masked.evaluate import DEFAULT, score_masked
from dgemma_viz.tiny.masked.tokenizer import build_masked_tokenizer
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.vocabulary import MASK, MASK_ID

WEIGHTS = KINDS["masked"].weights


@pytest.fixture(scope="module")
def tiny():
    return load_tiny("masked")


def pipeline_of(tiny):
    pipe = LLaDA2Pipeline(model=tiny[0], scheduler=BlockRefinementScheduler(), tokenizer=tiny[1])
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_the_package_is_named_without_torch():
    code = "import sys, dgemma_viz.tiny.masked; print({'torch', 'transformers', 'diffusers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_loading_needs_no_diffusers():
    code = (
        "import sys; sys.modules['diffusers'] = None; from dgemma_viz.tiny import load_tiny;"
        "print(load_tiny('masked')[0].dtype)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "torch.float32"


def test_judging_it_says_what_to_install():
    code = "import sys; sys.modules['diffusers'] = None; import dgemma_viz.tiny.masked.evaluate"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'dgemma-viz[diffusers]'" in done.stderr


def test_tokens_are_those_of_the_bundled_diffusiongemma_and_the_mask(tiny):
    ours, theirs = tiny[1].get_vocab(), load_tiny()[1].get_vocab()
    assert ours == {**theirs, MASK: MASK_ID}
    assert ours.items() <= build_masked_tokenizer().get_vocab().items()
    assert (tiny[1].mask_token, tiny[1].mask_token_id) == (MASK, MASK_ID)
    assert tiny[1].padding_side == "left"
    chat = tiny[1].apply_chat_template([{"role": "user", "content": "sort 12="}], tokenize=True, return_dict=True)
    assert chat["input_ids"] == tiny[1]("sort 12=")["input_ids"]


def test_folder_is_a_standard_one_and_small(tiny):
    model, tokenizer = tiny
    assert isinstance(AutoTokenizer.from_pretrained(WEIGHTS), type(tokenizer))
    other = AutoModelForMaskedLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    assert type(other) is type(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 5e6
    assert sum(parameter.numel() for parameter in model.parameters()) < 1.2e6
    assert json.loads((WEIGHTS / "training.json").read_text())["recipe"]["seed"] == 0


def test_files_agree_with_the_code(tiny):
    ours, saved = masked_config().to_dict(), tiny[0].config.to_dict()
    assert saved["vocab_size"] <= ours["vocab_size"], "tokens may have been appended since"
    left_out = {
        "vocab_size",
        "architectures",
        "dtype",
        "_name_or_path",
        "transformers_version",
        *unwritten_fields(tiny[0].config),
    }
    assert {name: value for name, value in saved.items() if name not in left_out} == {
        name: value for name, value in ours.items() if name not in left_out
    }


def test_it_is_bidirectional_and_minds_padding(tiny):
    model, tokenizer = tiny
    ids = torch.tensor([tokenizer("sort 4321=")["input_ids"] + [MASK_ID] * 4])
    changed = ids.clone()
    changed[0, -1] = tokenizer.convert_tokens_to_ids("7")
    with torch.no_grad():
        plain, after = (model(input_ids=one).logits[0] for one in (ids, changed))
        padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), ids], dim=1)
        seen = torch.tensor([[0] * 3 + [1] * ids.shape[1]])
        shifted = model(input_ids=padded, attention_mask=seen).logits[0, 3:]
    assert not torch.allclose(plain[0], after[0])
    torch.testing.assert_close(plain, shifted, rtol=1e-3, atol=1e-3)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(DgemmaVizError, match="no weights"):
        load_tiny("masked", tmp_path)


AT_LEAST = 0.85


@pytest.mark.parametrize("task", MASKED_TASKS)
@pytest.mark.parametrize("sampler", [DEFAULT, "editing off", "one token a step", "blocks of 16"])
def test_answers_held_out_prompts(tiny, task, sampler):
    assert score_masked(*tiny, task, sampler, count=48, batch=48, seed=3).exact >= AT_LEAST


def test_the_quota_decides_how_many_passes_it_takes(tiny):
    names = ("1 step, editing off", DEFAULT, "one token a step")
    passes = [score_masked(*tiny, "sudoku", name, count=8, seed=3).forwards for name in names]
    assert passes[0] == 2, "two blocks, one pass each"
    assert passes[0] < passes[1] < 8 < passes[2]


def test_example_prompts_are_answered_as_text(tiny):
    pipe = pipeline_of(tiny)
    torch.manual_seed(0)
    right = [
        TASKS[task].check(prompt, pipe(prompt=prompt, gen_length=32).texts[0])
        for task in MASKED_TASKS
        for prompt in TASKS[task].example_prompts
    ]
    assert sum(right) >= len(right) - 1


def test_it_mends_a_wrong_token_that_stands(tiny):
    """What the training on replaced tokens is for: the pipeline's editing depends on it."""
    model, tokenizer = tiny
    prompt, answer = "sort 27182818=", "11227888"
    start = len(tokenizer(prompt)["input_ids"])
    good = torch.tensor([tokenizer(prompt + answer)["input_ids"] + [tokenizer.eos_token_id] * 4])
    bad = good.clone()
    bad[0, start + 4] = tokenizer.convert_tokens_to_ids("5")
    with torch.no_grad():
        kept, mended = (model(input_ids=ids).logits[0].softmax(-1) for ids in (good, bad))
    assert (kept[start:].argmax(-1) == good[0, start:]).all()
    assert mended[start + 4, good[0, start + 4]] > 0.5
