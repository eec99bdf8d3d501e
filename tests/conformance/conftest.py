"""Real runs of the bundled model that obey every rule, for tests to check and to damage."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

import dgemma_viz as dv
from dgemma_viz.tiny import encode_prompt
from dgemma_viz.tiny.tasks import TASKS, sample_example

UNSURE = {"t_min": 1.0, "t_max": 2.0, "max_denoising_steps": 16, "confidence_threshold": 0.4}


def record_batch(model, tokenizer, tasks, seed=0, **arguments):
    rng = np.random.default_rng(seed)
    prompts = [sample_example(TASKS[task], rng, held_out=True).prompt for task in tasks]
    with dv.record(model, tokenizer) as recording:
        torch.manual_seed(seed)
        model.generate(**encode_prompt(tokenizer, prompts), **arguments)
    return recording.trace


def edited(trace, name, where, value):
    """The trace with one array changed at some places."""
    array = getattr(trace, name).copy()
    array[where] = value
    return replace(trace, **{name: array}, decision=None)


def with_settings(trace, **settings):
    return replace(trace, facts=replace(trace.facts, settings={**trace.facts.settings, **settings}))


@pytest.fixture(scope="session")
def tiny():
    return dv.load_tiny()


@pytest.fixture(scope="session")
def healthy(tiny):
    """Three samples of different length, warm: several canvases, early stops, waiting rows, much re-noised."""
    bound = EntropyBoundSamplerConfig(2.0)
    trace = record_batch(*tiny, ["grid", "addition", "long"], seed=22, sampler_config=bound, **UNSURE)
    assert trace.n_canvases > 1
    assert trace.canvas_run(0, 0).n_steps > 5
    assert (~trace.active).any()
    assert (~trace.accepted).mean() > 0.1
    return trace


def place(violation):
    return violation.canvas, violation.step, violation.sample, violation.position
