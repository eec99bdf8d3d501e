"""Recording diffusers' DiffusionGemmaPipeline changes nothing: output, random state and pipeline stay as they are."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from dgemma_viz.recorders import record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from tests.recorders.pipelines import CANVAS, SCHEDULERS, assert_follows, attributes_of, called, pipeline_of

OPTIONS = {
    "one sample": (1, {}),
    "batch": (3, {}),
    "two canvases": (2, {"gen_length": 2 * CANVAS, "eos_early_stop": False}),
    "temperature": (2, {"temperature": 0.7}),
    "every step": (1, {"confidence_threshold": None, "num_inference_steps": 7}),
    "stability of two steps": (3, {"stability_threshold": 2, "confidence_threshold": 0.5, "num_inference_steps": 20}),
    "static cache": (2, {"cache_implementation": "static", "gen_length": 2 * CANVAS, "eos_early_stop": False}),
    "own generator": (2, {"generator": 5, "temperature": 1.0}),
    "one step": (1, {"num_inference_steps": 1}),
    "text in a tuple": (1, {"return_dict": False, "output_type": "text"}),
}


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize(("batch", "options"), OPTIONS.values(), ids=OPTIONS)
def test_same_output_and_consistent_trace(tiny, scheduler, batch, options):
    pipe = pipeline_of(tiny, scheduler, batch)
    plain, plain_state, _ = called(pipe, **options)
    before = attributes_of(pipe)
    with record(pipe) as recording:
        sequences, state, result = called(pipe, **options)
    assert attributes_of(pipe) == before
    assert torch.equal(plain, sequences)
    assert torch.equal(plain_state, state)
    trace = recording.trace
    assert trace.facts.status == "complete"
    assert not trace.facts.notices
    emitted = torch.from_numpy(trace.emitted.copy()).permute(1, 0, 2).reshape(batch, -1)
    assert torch.equal(sequences.int(), emitted)
    assert_follows(trace)
    assert trace.n_samples == batch
    if options.get("output_type") == "text":
        assert trace.output_text().replace("<eos>", "") == result[1][0]
    if "generator" in options:
        assert trace.facts.seed == 5
        np.testing.assert_array_equal(trace.generator_state, torch.Generator().manual_seed(5).get_state().numpy())


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_text_of_several_canvases(tiny, scheduler):
    """The bundled task whose answers need more than one canvas."""
    pipe = pipeline_of(tiny, scheduler, prompts=[TASKS["long"].example_prompts[0]])
    options = {"gen_length": 4 * CANVAS}
    plain, plain_state, _ = called(pipe, **options)
    with record(pipe) as recording:
        sequences, state, _ = called(pipe, **options)
    assert torch.equal(plain, sequences)
    assert torch.equal(plain_state, state)
    trace = recording.trace
    assert trace.n_canvases == sequences.shape[1] // CANVAS > 1
    assert_follows(trace)


def test_a_callback_that_changes_the_canvas(tiny):
    def change(_pipe, _step, _timestep, tensors):
        canvas = tensors["canvas"].clone()
        canvas[:, 0] = 7
        return {"canvas": canvas}

    options = {"callback_on_step_end": change, "confidence_threshold": None, "num_inference_steps": 8}
    for scheduler in SCHEDULERS:
        pipe = pipeline_of(tiny, scheduler)
        plain, *_ = called(pipe, **options)
        with record(pipe) as recording:
            sequences, *_ = called(pipe, **options)
        assert torch.equal(plain, sequences), scheduler
        after_callback = recording.trace.phase[1:] == 0
        assert (recording.trace.noised[1:, 0, 0][after_callback] == 7).all(), scheduler
        assert recording.trace.emitted[0, 0, 0] == 7, scheduler


def test_several_calls_in_one_block(tiny):
    """The scheduler may be exchanged from call to call; after the block, nothing is recorded."""
    pipe = pipeline_of(tiny, "entropy bound")
    first = pipe.scheduler
    with record(pipe) as recording:
        called(pipe)
        assert "step" not in vars(first), "between calls, the scheduler is the user's"
        pipe.scheduler = SCHEDULERS["block refinement"]()
        called(pipe)
        pipe("arguments", None, gen_length=CANVAS, num_inference_steps=2)
    called(pipe)
    assert [trace.facts.sampler for trace in recording.traces] == [
        "EntropyBoundScheduler",
        "BlockRefinementScheduler",
        "BlockRefinementScheduler",
    ]


def test_a_copy_that_was_made_in_the_block_is_not_recorded(tiny):
    pipe = pipeline_of(tiny, "entropy bound")
    with record(pipe) as recording:
        other = copy.copy(pipe)
        called(other)
    called(other)
    assert not recording.traces


def test_calls_in_two_threads_are_kept_apart(tiny):
    pipe = pipeline_of(tiny, "entropy bound")

    def alone(seed):
        options = {"generator": torch.Generator().manual_seed(seed), "output_type": "seq"}
        return pipe(prompt="", gen_length=CANVAS, num_inference_steps=10, **options).sequences

    expected = [alone(seed) for seed in range(4)]
    before = attributes_of(pipe)
    with record(pipe) as recording, ThreadPoolExecutor(2) as pool:
        together = list(pool.map(alone, range(4)))
    assert attributes_of(pipe) == before
    assert all(torch.equal(one, other) for one, other in zip(expected, together, strict=True))
    traces = {trace.facts.seed: trace for trace in recording.traces}
    for seed, sequences in enumerate(expected):
        np.testing.assert_array_equal(traces[seed].emitted[0], sequences.numpy())
        assert_follows(traces[seed])


def test_a_call_within_a_call(tiny):
    pipe = pipeline_of(tiny, "entropy bound")
    inner = []

    def call_again(_pipe, step, _timestep, _tensors):
        if step == 1:
            inner.append(pipe(prompt="", gen_length=CANVAS, num_inference_steps=10, output_type="seq").sequences)
        return {}

    with record(pipe) as recording:
        outer, *_ = called(pipe, callback_on_step_end=call_again)
    first, second = recording.traces
    np.testing.assert_array_equal(first.emitted[0], outer.numpy())
    np.testing.assert_array_equal(second.emitted[0], inner[0].numpy())
    assert_follows(first)
    assert_follows(second)


@pytest.mark.compiled
@pytest.mark.parametrize("how", ["module.compile()", "torch.compile(module)"])
def test_compiled_encoder_and_decoder(how):
    """As the pipeline's documentation proposes; nothing of ours may end up inside compiled code."""

    def compiled():
        model, tokenizer = load_tiny()  # compiled modules stay on it
        pipe = pipeline_of((model, tokenizer), "block refinement", batch=2)
        for name in ("encoder", "decoder"):
            module = getattr(model.model, name)
            if how == "module.compile()":
                module.compile(backend="eager", fullgraph=name == "decoder")
            else:
                setattr(model.model, name, torch.compile(module, backend="eager"))
        return pipe

    options = {"cache_implementation": "static", "gen_length": 2 * CANVAS, "eos_early_stop": False}
    plain, plain_state, _ = called(compiled(), **options)
    pipe = compiled()
    called(pipe, **options)
    before = attributes_of(pipe)
    frames = sum(torch._dynamo.utils.counters["frames"].values())
    with record(pipe) as recording:
        sequences, state, _ = called(pipe, **options)
    assert sum(torch._dynamo.utils.counters["frames"].values()) == frames, "recording made torch compile again"
    assert attributes_of(pipe) == before
    assert torch.equal(plain, sequences)
    assert torch.equal(plain_state, state)
    assert_follows(recording.trace)
