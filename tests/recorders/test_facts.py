"""What a trace says about its run, and that the run can be repeated from it."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from dgemma_viz.recorders import record
from dgemma_viz.recorders.run_facts import eos_ids, model_id
from dgemma_viz.trace import RunTask
from dgemma_viz.trace.file import load_trace, save_trace
from dgemma_viz.trace.model import RunFacts
from tests.recorders.conftest import CANVAS, EOS_IDS, PAD, VOCABULARY, bound, prompts


def test_facts_of_a_run(model, tokenizer):
    with record(model, tokenizer, task={"name": "sort", "answer": [1, 2]}) as recording:
        torch.manual_seed(31)
        model.generate(**prompts(2), max_denoising_steps=5, confidence_threshold=0.25, **bound(0.5))
    facts = recording.trace.facts
    assert facts.model_class == "DiffusionGemmaForBlockDiffusion"
    assert facts.sampler == "EntropyBoundSampler"
    assert facts.vocab_size == VOCABULARY
    assert facts.eos_token_ids == EOS_IDS
    assert facts.pad_token_id == PAD
    assert facts.seed == 31
    assert (facts.device, facts.dtype) == ("cpu", "float32")
    assert facts.status == "complete"
    assert facts.task == RunTask(name="sort", more={"answer": [1, 2]})
    assert {"dgemma_viz", "torch", "transformers", "python"} <= facts.versions.keys()
    assert abs((datetime.now(UTC) - datetime.fromisoformat(facts.started)).total_seconds()) < 300
    expected = {
        "max_denoising_steps": 5,
        "entropy_bound": 0.5,
        "t_min": 0.4,
        "t_max": 0.8,
        "stability_threshold": 1,
        "confidence_threshold": 0.25,
        "max_new_tokens": CANVAS,
        "canvas_length": CANVAS,
        "cache_implementation": None,
        "inputs": ["attention_mask"],
    }
    assert expected.items() <= facts.settings.items()
    assert RunFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_prompt_times_and_order(model, tokenizer):
    with record(model, tokenizer) as recording:
        model.generate(**prompts(3), max_new_tokens=2 * CANVAS)
    trace = recording.trace
    given = prompts(3)
    np.testing.assert_array_equal(trace.prompt, given["input_ids"])
    np.testing.assert_array_equal(trace.prompt_mask, given["attention_mask"].bool())
    assert (np.diff(trace.wall_time) > 0).all()
    assert trace.wall_time[0] > 0
    assert trace.prompt_text(2) == tokenizer.decode(given["input_ids"][2, 2:])
    assert set(trace.facts.special_token_ids) == set(tokenizer.all_special_ids) & trace.token_texts.keys()


def test_the_generator_state_repeats_the_run(model):
    with record(model) as recording:
        model.generate(**prompts(1))
        second = model.generate(**prompts(2))
    torch.set_rng_state(torch.from_numpy(recording.trace.generator_state.copy()))
    assert torch.equal(model.generate(**prompts(2)).sequences, second.sequences)


def test_a_recorded_trace_survives_its_file(model, tokenizer, tmp_path):
    with record(model, tokenizer) as recording:
        model.generate(**prompts(2), max_new_tokens=2 * CANVAS)
    path = tmp_path / "run.safetensors"
    save_trace(recording.trace, path)
    loaded = load_trace(path)
    assert loaded.facts == recording.trace.facts
    assert loaded.output_text(1) == recording.trace.output_text(1)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("google/diffusiongemma-26B-A4B-it", "diffusiongemma-26B-A4B-it"),
        ("/home/someone/secret/tiny/", "tiny"),
        ("C:\\models\\tiny", "tiny"),
        ("", ""),
        (None, ""),
    ],
)
def test_no_path_is_kept(name, shown):
    class Config:
        _name_or_path = name

    class Model:
        config = Config()

    assert model_id(Model()) == shown


@pytest.mark.parametrize(("given", "ids"), [(None, ()), (5, (5,)), ([1, 106, 50], (1, 106, 50))])
def test_eos_ids_in_every_form(given, ids):
    class Config:
        eos_token_id = given

    assert eos_ids(Config()) == ids
