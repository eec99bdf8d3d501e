"""Faults change what runs inside their block, and leave the model as it was, also after an exception."""

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from benchmarks.diagnosis import record
from dgemma_viz.labs.sabotage import inputs, logits
from dgemma_viz.tiny import encode_prompt

FAULTS = (*inputs.FAULTS, *logits.FAULTS)
PROMPT = "list Sam: (a) blue doll (b) white kite (c) blue drum (d) red hat (e) pink kite (f) black lamp (g) blue cup"


@pytest.fixture(scope="module")
def tiny():
    return dv.load_tiny()


def output(model, tokenizer):
    torch.manual_seed(0)
    return model.generate(**encode_prompt(tokenizer, PROMPT)).sequences


def test_names_are_unique_and_texts_are_given():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.title and fault.description.endswith(".") for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_model_is_left_as_it_was(fault, tiny):
    model, tokenizer = tiny
    attributes, config, clean = dict(vars(model)), model.generation_config.to_dict(), output(model, tokenizer)
    trace = record(model, tokenizer, PROMPT, fault=fault)
    assert vars(model) == attributes
    with pytest.raises(KeyError), fault.plant(model):
        raise KeyError
    assert vars(model) == attributes
    assert model.generation_config.to_dict() == config
    assert torch.equal(output(model, tokenizer), clean)
    healthy = record(model, tokenizer, PROMPT)
    same = trace.n_steps == healthy.n_steps and all(
        np.array_equal(getattr(trace, name), getattr(healthy, name)) for name in ("entropy", "accepted", "noised")
    )
    assert not same or trace.facts.settings != healthy.facts.settings, "the fault changed nothing"


def test_noise_does_not_draw_from_the_run_s_own_generator(tiny):
    model, tokenizer = tiny
    noisy = next(fault for fault in FAULTS if fault.name == "noisy-logits")
    first = record(model, tokenizer, PROMPT, fault=noisy).noised[0]
    assert np.array_equal(first, record(model, tokenizer, PROMPT).noised[0])
    assert np.array_equal(first, record(model, tokenizer, PROMPT, fault=noisy).noised[0])
