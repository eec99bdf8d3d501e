"""mlx-vlm's own loop, recorded: the same output bit for bit, everything put back, and what stands in the trace."""

import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.trace.decision import NO_DECISION, Decision
from dgemma_viz.upstream import mlx_vlm as upstream
from dgemma_viz.upstream.transformers import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    StableAndConfidentStoppingCriteria,
)
from tests.recorders.replay import assert_consistent

WHY = "mlx and mlx-vlm are not installed (the extra 'mlx'; python3 tests installs them where there are wheels)"
mx = pytest.importorskip("mlx.core", reason=WHY)
mlx_vlm = pytest.importorskip("mlx_vlm", reason=WHY)

WEIGHTS = KINDS["diffusion"].weights
PROMPT = "sudoku 234_/_1__/__2_/3__4="
REFERENCE = {"diffusion_sampler": "entropy-bound", "temperature": 1.0}
SHORT = {"diffusion_max_canvas_length": 8, "max_tokens": 144}
HOT = {"t_min": 2.0, "t_max": 4.0, "max_denoising_steps": 6}
"""Draws of every step are unsure, whatever the weights."""


@pytest.fixture(scope="module")
def loaded():
    """Without MLX's own compilation: on a CPU it waits for a C++ compiler, which need not be there."""
    mx.disable_compile()
    try:
        yield mlx_vlm.load(str(WEIGHTS))
    finally:
        mx.enable_compile()


@pytest.fixture
def generate(loaded):
    def generate(prompt=PROMPT, seed=5, max_tokens=48, **arguments):
        return mlx_vlm.generate(*loaded, prompt, seed=seed, max_tokens=max_tokens, **arguments)

    return generate


@contextmanager
def configured(model, **changes):
    """Other values in the generation config for a while; None takes one out."""
    before = model.config.generation_config
    model.config.generation_config = {name: value for name, value in (before | changes).items() if value is not None}
    try:
        yield
    finally:
        model.config.generation_config = before


def ending(result):
    key = np.array(upstream.random_key()).tolist()
    return result.text, result.generation_tokens, result.diffusion_denoising_steps, result.finish_reason, key


def loop():
    return getattr(upstream.engine(), upstream.LOOP)


CASES = {
    "as mlx-vlm does by default": {},
    "as the reference does": REFERENCE,
    "three steps, the last without a decision": {**REFERENCE, "max_denoising_steps": 3},
    "one step": {"max_denoising_steps": 1},
    "several short canvases": {**REFERENCE, **SHORT},
    "several short canvases, by confidence": {**SHORT, "temperature": 1.0},
    "drafts are shown": {**REFERENCE, "diffusion_show_unmasking": True, "max_denoising_steps": 3},
    "fewer tokens than a canvas": {**REFERENCE, "max_tokens": 3},
    "static cache": {**REFERENCE, **SHORT, "diffusion_static_cache": True},
    "a sharper temperature": {**REFERENCE, "temperature": 0.5},
}


@pytest.mark.parametrize("arguments", CASES.values(), ids=CASES)
def test_same_output_and_consistent_trace(loaded, generate, arguments):
    original = loop()
    without = ending(generate(**arguments))
    with dv.record(*loaded) as recording:
        with_it = ending(generate(**arguments))
    assert loop() is original
    assert with_it == without
    trace, (text, tokens, steps, *_) = recording.trace, without
    assert trace.facts.status == "complete"
    assert not trace.facts.notices
    assert trace.n_steps == steps
    assert trace.facts.special_token_ids
    assert trace.output_text() == text
    if trace.facts.output_span:
        assert trace.facts.output_span == (0, tokens)
    decided = (trace.decision != NO_DECISION).any(axis=-1)[:, 0]
    last = np.r_[trace.canvas[1:] != trace.canvas[:-1], True]
    assert (decided | last).all()
    kept = np.isin(trace.decision[:-1], (Decision.ACCEPTED, Decision.KEPT)) & ~last[:-1, None, None]
    put = (trace.decision[:-1] == Decision.ACCEPTED) & ~last[:-1, None, None]
    assert (trace.noised[1:][put] == trace.candidate[:-1][put]).all()
    unchanged = kept & ~put
    assert (trace.noised[1:][unchanged] == trace.noised[:-1][unchanged]).all()
    if arguments == REFERENCE:
        assert_consistent(trace)


@pytest.mark.compiled
@pytest.mark.skipif(not shutil.which("g++"), reason="MLX compiles for the CPU with g++, which is not installed")
def test_compiled(loaded, generate):
    mx.enable_compile()
    try:
        test_same_output_and_consistent_trace(loaded, generate, {**REFERENCE, "diffusion_compile": True})
    finally:
        mx.disable_compile()


def test_decisions_and_numbers_are_those_of_transformers_on_the_same_logits(loaded, generate):
    model, _ = loaded
    seen = []

    def decode(canvas, **kwargs):
        logits = type(model).diffusion_decoder_logits(model, canvas, **kwargs)
        seen.append(np.array(logits))
        return logits

    vars(model)["diffusion_decoder_logits"] = decode
    try:
        with configured(model, t_min=0.9, t_max=1.5, confidence_threshold=0.3), dv.record(*loaded) as recording:
            generate(**REFERENCE, prompt="story a cat=")
            generate(**REFERENCE, max_denoising_steps=7)
    finally:
        del vars(model)["diffusion_decoder_logits"]
    assert sum(trace.n_steps for trace in recording.traces) == len(seen)
    logits = iter(seen)
    for trace in recording.traces:
        sampler = EntropyBoundSampler(EntropyBoundSamplerConfig(0.1), trace.length[0], trace.facts.vocab_size, 48)
        stop = StableAndConfidentStoppingCriteria(1, 0.3)
        for step in range(trace.n_steps):
            scaled = torch.from_numpy(next(logits)) / float(trace.temperature[step])
            p = scaled.softmax(-1)
            best = p.max(-1)
            np.testing.assert_array_equal(trace.draft[step], scaled.argmax(-1))
            np.testing.assert_allclose(trace.confidence[step], best.values, rtol=1e-5)
            np.testing.assert_allclose(trace.top_k_probabilities[step], p.topk(8).values, rtol=2e-3, atol=1e-7)
            entropy = torch.distributions.Categorical(logits=scaled).entropy()
            np.testing.assert_allclose(trace.entropy[step], entropy, rtol=1e-4, atol=5e-6)
            if (trace.decision[step] == NO_DECISION).all():
                assert step == trace.n_steps - 1
                continue
            ids = [torch.from_numpy(getattr(trace, name)[step].astype(np.int64)) for name in ("noised", "candidate")]
            sampler.accept_canvas(*ids, scaled, step)
            np.testing.assert_array_equal(trace.accepted[step], sampler.accepted_token_mask)
            assert trace.finished[step].tolist() == stop(scaled.argmax(-1), scaled).tolist()
            np.testing.assert_allclose(
                trace.candidate_probability[step], p.gather(-1, ids[1][..., None])[..., 0], rtol=1e-4
            )


def test_a_run_can_be_begun_again_from_its_seed(loaded, generate):
    mx.random.seed(3)
    mx.random.uniform(shape=(7,))
    with dv.record(*loaded) as recording:
        generate(**REFERENCE, seed=None)
        mx.random.seed(recording.trace.facts.seed)
        generate(**REFERENCE, seed=None)
    first, second = recording.traces
    for name in ("noised", "candidate", "entropy", "emitted"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.generator_state, second.generator_state)


# -- what the conformance report says --------------------------------------------------------------------------------


def report_of(loaded, generate, **arguments):
    with configured(loaded[0], **HOT), dv.record(*loaded) as recording:
        for seed in range(3):
            generate(seed=seed, **arguments)
    return dv.check_conformance(recording.traces)


def test_at_temperature_1_its_entropy_bound_sampler_conforms(loaded, generate):
    report = report_of(loaded, generate, **REFERENCE)
    assert report.ok, str(report)
    assert {"accepted-set", "candidates-drawn", "temperature-schedule", "emitted-is-last-draft"} <= {*report.passed}
    assert "No decision was made in step" in " ".join(str(report).split())


@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_at_other_temperatures_candidates_come_of_another_distribution(loaded, generate, temperature):
    report = report_of(loaded, generate, diffusion_sampler="entropy-bound", temperature=temperature)
    assert {one.rule for one in report.violations} == {"candidates-drawn"}, str(report)


def test_its_default_sampler_is_judged_by_the_rules_for_any(loaded, generate):
    report = report_of(loaded, generate)
    assert report.ok, str(report)
    assert "accepted-kept" in report.passed
    assert "accepted-set" not in {outcome.rule for outcome in report.outcomes if outcome.judged}


# -- runs that end early ---------------------------------------------------------------------------------------------


@contextmanager
def failing(model, error, passes):
    """The decoder raises in one pass."""
    left = [passes]

    def decode(canvas, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            raise error
        return type(model).diffusion_decoder_logits(model, canvas, **kwargs)

    vars(model)["diffusion_decoder_logits"] = decode
    try:
        yield
    finally:
        del vars(model)["diffusion_decoder_logits"]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("no memory"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_an_exception_passes_and_leaves_the_steps_so_far(loaded, generate, error, status):
    original = loop()
    early = failing(loaded[0], error, passes=3)
    with configured(loaded[0], **HOT), early, pytest.raises(type(error)), dv.record(*loaded) as recording:
        generate(**REFERENCE)
    assert loop() is original
    trace = recording.trace
    assert trace.n_steps == 2
    assert trace.facts.status == status
    assert (trace.decision != NO_DECISION).all()
    assert trace.n_canvases == 1
    assert not trace.emitted.size


def test_a_failure_before_the_first_step_is_told(loaded, generate):
    failure = RuntimeError("no memory")
    with failing(loaded[0], failure, passes=1), pytest.raises(RuntimeError), dv.record(*loaded) as recording:
        generate(**REFERENCE)
    with pytest.raises(RecordingError, match=r"single denoising step: .*no memory"):
        _ = recording.trace


def test_whoever_stops_reading_has_the_steps_so_far(loaded):
    model, processor = loaded
    ids = mx.array([processor.tokenizer(PROMPT)["input_ids"]])
    results = []

    def read(result):
        results.append(result)
        return len(results) < 3

    with configured(model, **HOT), dv.record(model, processor) as recording:
        asked = {"gen_length": 48, "visualize": True, "on_result": read, **REFERENCE}
        model.generate(ids, tokenizer=processor.tokenizer, processor=processor, **asked)
    trace = recording.trace
    assert trace.facts.status == "interrupted"
    assert "stopped before the last one" in trace.facts.error
    assert trace.n_steps == 2


# -- other models, other callers -------------------------------------------------------------------------------------


def test_two_models_are_recorded_apart_and_in_any_order(loaded, generate):
    other, processor = mlx_vlm.load(str(WEIGHTS))
    original = loop()
    first, second = dv.record(*loaded), dv.record(other, processor)
    with first:
        second.__enter__()
        generate(**REFERENCE)
        mlx_vlm.generate(other, processor, "sort 27182818=", max_tokens=48)
    try:
        assert loop() is not original
        generate(**REFERENCE)
    finally:
        second.__exit__(None, None, None)
    assert loop() is original
    assert [len(recording.traces) for recording in (first, second)] == [1, 1]
    assert first.trace.facts.sampler == "mlx-vlm entropy-bound"
    assert second.trace.facts.sampler == "mlx-vlm confidence-threshold"


def test_on_step_sees_each_step_while_it_runs(loaded, generate):
    steps = []
    with configured(loaded[0], **HOT), dv.record(*loaded, on_step=steps.append) as recording:
        generate(**REFERENCE, **SHORT)
    trace = recording.trace
    assert [(step.canvas, step.step_in_canvas) for step in steps] == list(
        zip(trace.canvas.tolist(), trace.step_in_canvas.tolist(), strict=True)
    )
    for number, step in enumerate(steps):
        for name in ("noised", "draft", "accepted", "entropy", "top_k_ids", "stable_steps", "temperature"):
            whole = np.asarray(getattr(trace, name)[number])
            np.testing.assert_array_equal(getattr(step, name), whole[:, : step.length] if whole.ndim > 1 else whole)
    assert steps[0].token_text(steps[0].draft[0, 0]) == trace.token_text(int(trace.draft[0, 0, 0]))


def test_another_version_of_the_loop_is_refused_by_name(loaded, monkeypatch):
    def stream_diffusion_generate(model):
        return model.new_way()

    monkeypatch.setattr(upstream.engine(), upstream.LOOP, stream_diffusion_generate)
    with pytest.raises(RecordingError, match=r"mlx-vlm 0\.\d.* does not call _make_diffusion_decoder_logits_fns"):
        dv.record(*loaded)


WITHOUT_TORCH = f"""
import sys
sys.modules["torch"] = None
import mlx.core, mlx_vlm
import dgemma_viz as dv
mlx.core.disable_compile()
model, processor = mlx_vlm.load({str(WEIGHTS)!r})
with dv.record(model, processor) as recording:
    mlx_vlm.generate(model, processor, {PROMPT!r}, max_tokens=8, seed=1, diffusion_sampler="entropy-bound")
print(recording.trace.n_steps, recording.trace.facts.model_id)
"""


def test_it_is_recorded_where_there_is_no_torch():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    steps, model_id = done.stdout.split()
    assert int(steps) >= 1
    assert model_id == "weights"
