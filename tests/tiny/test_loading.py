import json
import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, DiffusionGemmaForBlockDiffusion

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.architecture import tiny_generation_config
from dgemma_viz.tiny.evaluate import AUTOREGRESSIVE, DEFAULT, score
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import build_tokenizer, encode_prompt

WEIGHTS = KINDS["diffusion"].weights

AT_LEAST = {
    "sudoku": 0.9,
    "addition": 0.9,
    "sort": 0.9,
    "story": 0.9,
    "grid": 0.9,
    "tale": 0.9,
    "gifts": 0.8,
    "brackets": 0.9,
}


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


def _run(code, **environment):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_tasks_need_no_torch():
    code = "import sys, dgemma_viz.tiny, dgemma_viz.tiny.tasks; print({'torch', 'transformers'} & set(sys.modules))"
    assert _run(code).strip() == "set()"


def test_loads_offline():
    code = "from dgemma_viz.tiny.loading import load_tiny; print(load_tiny()[0].training)"
    assert _run(code, HF_HUB_OFFLINE="1").strip() == "False"


def test_folder_is_a_standard_one(tiny):
    model, tokenizer = tiny
    assert isinstance(AutoTokenizer.from_pretrained(WEIGHTS), type(tokenizer))
    assert AutoConfig.from_pretrained(WEIGHTS).canvas_length == 48
    other = DiffusionGemmaForBlockDiffusion.from_pretrained(WEIGHTS)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert model.dtype == torch.float32
    assert json.loads((WEIGHTS / "training.json").read_text())["recipe"]["seed"] == 0


def test_files_agree_with_the_code(tiny):
    model, tokenizer = tiny
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert tokenizer.padding_side == "left"
    saved, ours = model.generation_config.to_dict(), tiny_generation_config().to_dict()
    assert {
        key: value for key, value in saved.items() if key in ours and not key.startswith(("_", "transformers"))
    } == {key: value for key, value in ours.items() if not key.startswith(("_", "transformers"))}


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(DgemmaVizError, match="no weights"):
        load_tiny(folder=tmp_path)


@pytest.mark.parametrize(("task", "share"), AT_LEAST.items())
def test_answers_held_out_prompts_through_generate(tiny, task, share):
    assert score(*tiny, task, DEFAULT, count=32, batch=32, seed=3).exact >= share


def test_answers_over_several_canvases(tiny):
    result = score(*tiny, "long", DEFAULT, count=8, batch=8, seed=3)
    assert result.exact >= 0.85


def test_pushing_the_sampler_makes_it_worse(tiny):
    default, pushed = (score(*tiny, "sudoku", name, count=32, batch=32, seed=3).exact for name in (DEFAULT, "1 step"))
    assert pushed < default


def test_the_same_weights_decode_autoregressively(tiny):
    assert score(*tiny, "sort", AUTOREGRESSIVE, count=16, batch=16, seed=3).exact >= 0.5


def test_example_prompts_are_answered_one_by_one_and_as_a_padded_batch(tiny):
    model, tokenizer = tiny
    prompts = [task.example_prompts[0] for task in TASKS.values() if task.name != "long"]
    torch.manual_seed(0)
    together = model.generate(**encode_prompt(tokenizer, prompts)).sequences
    for row, prompt in zip(together, prompts, strict=True):
        text = tokenizer.decode(row, skip_special_tokens=True)
        assert text.startswith(prompt)
