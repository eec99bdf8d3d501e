"""What is recorded of diffusers' DiffusionGemmaPipeline is what its scheduler did, step by step."""

from functools import wraps

import numpy as np
import pytest
import torch
from diffusers import BlockRefinementScheduler

from dgemma_viz.analysis.acceptance import redecide
from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import Decision, Phase
from tests.recorders.pipelines import CANVAS, SCHEDULERS, called, pipeline_of, record_once


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


def seen_by_scheduler(pipe, **options):
    """Trace, and what went into and came out of the scheduler's step and step_correct, in order."""
    seen = []

    def watch(name):
        method = getattr(pipe.scheduler, name)

        @wraps(method)
        def watched(**given):
            output = method(**given)
            kept = {key: value.clone() for key, value in output.items() if isinstance(value, torch.Tensor)}
            seen.append((name, given["sample"].clone(), given["model_output"].clone(), kept))
            return output

        setattr(pipe.scheduler, name, watched)

    watch("step")
    if hasattr(pipe.scheduler, "step_correct"):
        watch("step_correct")
    with record(pipe) as recording:
        called(pipe, **options)
    return recording.trace, seen


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_arrays_are_the_scheduler_s(tiny, scheduler, temperature):
    trace, seen = seen_by_scheduler(
        pipeline_of(tiny, scheduler, 2), temperature=temperature, confidence_threshold=None, num_inference_steps=7
    )
    assert trace.n_steps == len(seen) == 7
    for step, (name, sample, logits, output) in enumerate(seen):
        np.testing.assert_array_equal(trace.noised[step], sample)
        if name == "step_correct":
            assert trace.phase[step] == Phase.CORRECT
            np.testing.assert_array_equal(trace.candidate[step], output["prev_sample"])
            continue
        assert trace.phase[step] == Phase.DENOISE
        np.testing.assert_array_equal(trace.candidate[step], output["sampled_tokens"])
        np.testing.assert_array_equal(trace.draft[step], output["pred_logits"].argmax(-1))
        used = output["pred_logits"] if "entropy bound" in scheduler else logits / (temperature or 1.0)
        distribution = torch.distributions.Categorical(logits=used)
        np.testing.assert_array_equal(trace.entropy[step], distribution.entropy())
        p = distribution.probs
        np.testing.assert_allclose(trace.confidence[step], p.max(-1).values, rtol=1e-6)
        chosen = p.gather(-1, output["sampled_tokens"][..., None])[..., 0]
        np.testing.assert_allclose(trace.candidate_probability[step], chosen, rtol=1e-5)
        np.testing.assert_allclose(trace.top_k_probabilities[step], p.topk(8).values, atol=1e-3)


def test_the_entropy_bound_is_the_one_that_transformers_follows(tiny):
    trace = record_once(tiny, "entropy bound", 3, num_inference_steps=12)
    for sample in range(3):
        run = trace.canvas_run(0, sample)
        np.testing.assert_array_equal(redecide(run, 0.1), run.array("accepted"))
    share = (12 - trace.step_in_canvas) / 12
    np.testing.assert_allclose(trace.temperature, 0.4 + 0.4 * share, rtol=1e-6)
    assert np.allclose(trace.entropy_bound, 0.1)


def test_accepted_is_what_the_entropy_bound_scheduler_says(tiny):
    trace, seen = seen_by_scheduler(pipeline_of(tiny, "entropy bound, loose", 2))
    for step, (_, _, _, output) in enumerate(seen):
        np.testing.assert_array_equal(trace.decision[step], output["accepted_index"].numpy().astype(np.uint8))


@pytest.mark.parametrize("scheduler", ["block refinement", "block refinement, editing"])
def test_commits_and_edits_are_what_the_scheduler_says(tiny, scheduler):
    edits = 0
    for seed in range(3):
        pipe = pipeline_of(tiny, scheduler, 3, prompts=TASKS["grid"].example_prompts)
        options = {"confidence_threshold": None, "temperature": 1.0, "gen_length": 2 * CANVAS, "eos_early_stop": False}
        trace, seen = seen_by_scheduler(pipe, seed=seed, **options)
        committed = None
        for step, (_, _, _, output) in enumerate(seen):
            if trace.step_in_canvas[step] == 0:
                committed = np.zeros_like(output["transfer_index"])
            edited, transferred = output["editing_transfer_index"].numpy(), output["transfer_index"].numpy()
            expected = np.select(
                [edited, transferred, committed], [Decision.EDITED, Decision.ACCEPTED, Decision.KEPT], Decision.NOISE
            )
            np.testing.assert_array_equal(trace.decision[step], expected)
            committed = committed | transferred
            edits += edited.sum()
        assert committed.all(), "the quota commits every position by the last step"
    assert bool(edits) == ("editing" in scheduler)


def test_ancestral_routes(tiny, monkeypatch):
    """The scheduler draws a route per position and does not tell: where they cannot be told apart, tokens are equal."""
    routes, draw = [], torch.multinomial

    def watched(probabilities, *args, **kwargs):
        drawn = draw(probabilities, *args, **kwargs)
        if probabilities.shape[-1] == 3:
            routes.append(drawn[:, 0].numpy())
        return drawn

    monkeypatch.setattr(torch, "multinomial", watched)
    trace, seen = seen_by_scheduler(pipeline_of(tiny, "DDIM", 2), confidence_threshold=None, temperature=3.0)
    clean = np.zeros((2, CANVAS), dtype=bool)
    differ = 0
    for step, (_, sample, _, output) in enumerate(seen):
        route = routes[step].reshape(clean.shape)
        candidate, after = output["sampled_tokens"].numpy(), output["prev_sample"].numpy()
        expected = np.select(
            [route == 0, (route == 1) & clean], [Decision.ACCEPTED, Decision.KEPT], default=Decision.NOISE
        )
        unlike = trace.decision[step] != expected
        assert (after == candidate)[unlike].all(), "another decision than the route where the tokens differ"
        differ += unlike.sum()
        clean = (after == candidate) | ((after == sample.numpy()) & clean)
    assert differ < 0.1 * trace.decision.size
    assert {*np.unique(trace.decision)} == {Decision.NOISE, Decision.ACCEPTED, Decision.KEPT}
    assert (trace.decision[-1] == Decision.ACCEPTED).all(), "the last step takes every candidate"


def test_a_token_that_a_callback_put_there_is_not_kept_as_a_candidate(tiny):
    def change(_pipe, _step, _timestep, tensors):
        canvas = tensors["canvas"].clone()
        canvas[:, :] = 7
        return {"canvas": canvas}

    trace = record_once(tiny, "DDIM", callback_on_step_end=change, confidence_threshold=None)
    assert not (trace.decision == Decision.KEPT).any()


def test_corrector_sweeps_are_steps_of_their_own(tiny):
    pipe = pipeline_of(tiny, "DDIM with corrector", 2)
    chosen, select = [], pipe.scheduler._select_positions

    @wraps(select)
    def watched(sample, log_p, generator):
        chosen.append((select(sample, log_p, generator), log_p))
        return chosen[-1][0]

    pipe.scheduler._select_positions = watched
    trace, seen = seen_by_scheduler(pipe, confidence_threshold=None, num_inference_steps=10)
    sweeps = np.flatnonzero(trace.phase == Phase.CORRECT)
    assert trace.n_steps == 10, "the pipeline counts sweeps as decoder passes"
    assert sweeps.tolist() == [1, 2, 4, 5, 7, 8]
    assert not (trace.decision[trace.phase == Phase.DENOISE] == Decision.CORRECTED).any()
    for step, (positions, log_p) in zip(sweeps, chosen, strict=True):
        where = np.zeros((2, CANVAS), dtype=bool)
        np.put_along_axis(where, positions.numpy(), values=True, axis=-1)
        np.testing.assert_array_equal(trace.decision[step] == Decision.CORRECTED, where)
        np.testing.assert_array_equal(trace.candidate[step][~where], trace.noised[step][~where])
        before = trace.accepted[step - 1]
        np.testing.assert_array_equal(trace.decision[step][~where], np.where(before, Decision.KEPT, 0)[~where])
        np.testing.assert_array_equal(trace.draft[step], seen[step][2].argmax(-1))
        p = log_p.exp()
        entropy = -(p * log_p).sum(-1)
        np.testing.assert_allclose(trace.entropy[step], entropy, rtol=1e-5, atol=1e-6)
        for name, ids in (("confidence", trace.draft[step]), ("candidate_probability", trace.candidate[step])):
            expected = np.take_along_axis(p.numpy(), ids[..., None].astype(int), axis=-1)[..., 0]
            np.testing.assert_allclose(getattr(trace, name)[step], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_stop_rule_is_the_pipeline_s(tiny, scheduler):
    """A canvas ends in the step in which its last sample is declared finished, and not before."""
    trace = record_once(tiny, scheduler, 3, num_inference_steps=20, confidence_threshold=0.05)
    assert trace.finished[-1].all() or trace.n_steps == 20
    assert not trace.finished[:-1].all(axis=1).any()
    np.testing.assert_array_equal(trace.active[1:], ~trace.finished[:-1])


def test_rows_past_their_end(tiny):
    trace = record_once(
        tiny, "block refinement", 3, gen_length=3 * CANVAS, eos_early_stop=False, num_inference_steps=12
    )
    ends = (trace.emitted == trace.facts.eos_token_ids[0]).any(axis=-1)
    assert not trace.past_end[0].any()
    np.testing.assert_array_equal(trace.past_end[1:], np.maximum.accumulate(ends, axis=0)[:-1])
    assert trace.past_end.any()


def test_facts_are_enough_to_run_it_again(tiny):
    facts = record_once(tiny, "block refinement, editing", temperature=0.5, num_inference_steps=9).facts
    assert (
        facts.settings.items()
        >= {
            "library": "diffusers",
            "threshold": 0.6,
            "editing_threshold": 0.4,
            "temperature": 0.5,
            "max_denoising_steps": 9,
            "max_new_tokens": CANVAS,
            "canvas_length": CANVAS,
            "confidence_threshold": 0.005,
        }.items()
    )
    assert "block_length" not in facts.settings, "the pipeline's is the canvas"
    assert facts.sampler == "BlockRefinementScheduler"
    assert facts.versions["diffusers"]
    assert facts.eos_token_ids == (1,)
    assert facts.seed == 12
    assert "temperature" not in record_once(tiny, "entropy bound", temperature=0.5).facts.settings


class Halves(BlockRefinementScheduler):
    """A user's own rule: every step commits every second position that is left."""

    def step(self, model_output, timestep, sample, **options):
        output = super().step(model_output, timestep, sample, **options)
        output.transfer_index = output.transfer_index & (torch.arange(sample.shape[1]) % 2 == 0)
        return output


def test_a_scheduler_of_one_s_own_is_recorded_by_what_it_says(tiny):
    pipe = pipeline_of(tiny, "block refinement")
    pipe.scheduler = Halves()
    plain, *_ = called(pipe, num_inference_steps=4)
    with pytest.warns(RecorderWarning, match="Halves decides in a step of its own"), record(pipe) as recording:
        sequences, *_ = called(pipe, num_inference_steps=4)
    assert torch.equal(plain, sequences)
    trace = recording.trace
    assert trace.facts.sampler == "Halves"
    assert trace.facts.status == "complete"
    assert not (trace.decision[..., 1::2] == Decision.ACCEPTED).any()
