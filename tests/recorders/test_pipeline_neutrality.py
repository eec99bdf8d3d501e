"""Recording diffusers' DiffusionGemmaPipeline changes nothing: output, random state and pipeline stay as they are."""

import numpy as np
import pytest
import torch
from diffusers import BlockRefinementScheduler, DiffusionGemmaPipeline, DiscreteDDIMScheduler, EntropyBoundScheduler

from dgemma_viz.errors import RecordingError
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.samplers.given_ids import GivenIds
from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import Decision, Phase

CANVAS = 48
STORY = TASKS["story"].example_prompts[1]
PROMPTS = [STORY, TASKS["sudoku"].example_prompts[0], TASKS["addition"].example_prompts[0]]

SCHEDULERS = {
    "entropy bound": EntropyBoundScheduler,
    "entropy bound, loose": lambda: EntropyBoundScheduler(entropy_bound=3.0, t_max=1.2, t_min=0.9),
    "block refinement": lambda: BlockRefinementScheduler(threshold=0.99),
    "block refinement, editing": lambda: BlockRefinementScheduler(threshold=0.6, editing_threshold=0.4),
    "DDIM": DiscreteDDIMScheduler,
    "DDIM with corrector": lambda: DiscreteDDIMScheduler(corrector_steps=2, corrector_k=5),
    "DDIM, random corrector": lambda: DiscreteDDIMScheduler(corrector_steps=1, corrector_selection="random"),
}
OPTIONS = {
    "one sample": (1, {}),
    "batch": (3, {}),
    "two canvases": (2, {"gen_length": 2 * CANVAS, "eos_early_stop": False}),
    "temperature": (2, {"temperature": 0.7}),
    "every step": (1, {"confidence_threshold": None, "num_inference_steps": 7}),
    "stability of two steps": (2, {"stability_threshold": 2, "confidence_threshold": 0.5}),
    "static cache": (2, {"cache_implementation": "static"}),
    "own generator": (2, {"generator": 5, "temperature": 1.0}),
    "one step": (1, {"num_inference_steps": 1}),
    "plain output": (1, {"return_dict": False, "output_type": "text"}),
}


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


def pipeline_of(tiny, scheduler, batch=1):
    model, tokenizer = tiny
    pipe = DiffusionGemmaPipeline(
        model=model,
        scheduler=SCHEDULERS[scheduler](),
        processor=GivenIds(tokenizer, encode(tokenizer, PROMPTS[:batch])),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def called(pipe, seed=12, **options):
    torch.manual_seed(seed)
    generator = options.pop("generator", None)
    if generator is not None:
        options["generator"] = torch.Generator().manual_seed(generator)
    result = pipe(prompt="", **{"gen_length": CANVAS, "num_inference_steps": 10, "output_type": "seq", **options})
    return (result[0] if isinstance(result, tuple) else result.sequences), torch.get_rng_state(), result


def attributes_of(pipe):
    parts = (pipe, pipe.scheduler, pipe.model, pipe.model.model.encoder)
    return type(pipe), [sorted(vars(part)) for part in parts]


def assert_follows(trace):
    """What a step left is what the next one of its canvas read, for every sample that went on."""
    for step in range(1, trace.n_steps):
        if trace.canvas[step] != trace.canvas[step - 1]:
            continue
        went_on = trace.active[step]
        decision, read = trace.decision[step - 1], trace.noised[step]
        put = np.isin(decision, (Decision.ACCEPTED, Decision.EDITED, Decision.CORRECTED)) & went_on[:, None]
        kept = (decision == Decision.KEPT) & went_on[:, None]
        np.testing.assert_array_equal(read[put], trace.candidate[step - 1][put])
        np.testing.assert_array_equal(read[kept], trace.noised[step - 1][kept])


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
    assert not trace.facts.warnings
    emitted = torch.from_numpy(trace.emitted.copy()).permute(1, 0, 2).reshape(batch, -1)
    assert torch.equal(sequences.int(), emitted)
    assert_follows(trace)
    assert trace.n_samples == batch
    if options.get("output_type") == "text":
        assert trace.output_text().replace("<eos>", "") == result[1][0]
    if "generator" in options:
        assert trace.facts.seed == 5
        np.testing.assert_array_equal(
            trace.generator_state, torch.Generator().manual_seed(5).get_state().numpy(), "not the generator's state"
        )


def record_once(tiny, scheduler, batch=1, **options):
    pipe = pipeline_of(tiny, scheduler, batch)
    with record(pipe) as recording:
        called(pipe, **options)
    return recording.trace


def test_the_entropy_bound_is_the_one_that_transformers_follows(tiny):
    from dgemma_viz.analysis.acceptance import redecide

    trace = record_once(tiny, "entropy bound", 3, num_inference_steps=12)
    for sample in range(3):
        run = trace.canvas_run(0, sample)
        np.testing.assert_array_equal(redecide(run, 0.1), run.array("accepted"))
    share = (12 - trace.step_in_canvas) / 12
    np.testing.assert_allclose(trace.temperature, 0.4 + 0.4 * share, rtol=1e-6)
    assert np.allclose(trace.entropy_bound, 0.1)
    assert set(np.unique(trace.decision)) <= {Decision.NOISE, Decision.ACCEPTED}


def test_commits_are_sticky_and_edits_are_edits(tiny):
    sticky = record_once(tiny, "block refinement", confidence_threshold=None)
    assert (np.diff(sticky.accepted[:, 0].astype(int), axis=0) >= 0).all()
    assert sticky.accepted[-1].all()
    assert not (sticky.decision == Decision.EDITED).any()
    editing = [record_once(tiny, "block refinement, editing", 3, seed=seed, temperature=1.0) for seed in range(4)]
    edits = np.concatenate([trace.decision[trace.active] == Decision.EDITED for trace in editing])
    assert edits.any()


def test_the_last_ancestral_step_takes_every_candidate(tiny):
    trace = record_once(tiny, "DDIM", confidence_threshold=None)
    assert (trace.decision[-1] == Decision.ACCEPTED).all()
    assert (trace.decision[0] == Decision.NOISE).any()
    assert (trace.decision == Decision.KEPT).any()


def test_corrector_sweeps_are_steps_of_their_own(tiny):
    trace = record_once(tiny, "DDIM with corrector", confidence_threshold=None, num_inference_steps=10)
    sweeps = trace.phase == Phase.CORRECT
    assert trace.n_steps == 10, "the pipeline counts sweeps as forwards"
    assert sweeps.sum() == 6
    assert ((trace.decision[sweeps] == Decision.CORRECTED).sum(axis=-1) == 5).all()
    assert not (trace.decision[~sweeps] == Decision.CORRECTED).any()


def test_the_stop_rule_is_the_pipeline_s(tiny):
    """A canvas ends in the step in which the last sample is declared finished."""
    for scheduler in SCHEDULERS:
        trace = record_once(tiny, scheduler, 3, num_inference_steps=20, confidence_threshold=0.05)
        limit = 20
        assert trace.finished[-1].all() or trace.n_steps == limit, scheduler
        assert not trace.finished[:-1].all(axis=1).any(), scheduler


def test_a_callback_that_changes_the_canvas(tiny):
    def change(_pipe, _step, _timestep, tensors):
        canvas = tensors["canvas"].clone()
        canvas[:, 0] = 7
        return {"canvas": canvas}

    options = {"callback_on_step_end": change, "confidence_threshold": None}
    pipe = pipeline_of(tiny, "entropy bound")
    plain, *_ = called(pipe, **options)
    with record(pipe) as recording:
        sequences, *_ = called(pipe, **options)
    assert torch.equal(plain, sequences)
    assert (recording.trace.noised[1:, 0, 0] == 7).all()


def test_several_calls_other_schedulers_and_a_call_after_the_block(tiny):
    pipe = pipeline_of(tiny, "entropy bound")
    with record(pipe) as recording:
        called(pipe)
        pipe.scheduler = SCHEDULERS["block refinement"]()
        called(pipe)
    called(pipe)
    assert [trace.facts.sampler for trace in recording.traces] == ["EntropyBoundScheduler", "BlockRefinementScheduler"]


def test_facts_are_enough_to_run_it_again(tiny):
    facts = record_once(tiny, "block refinement, editing", temperature=0.5, num_inference_steps=9).facts
    assert facts.settings["library"] == "diffusers"
    assert {name: facts.settings[name] for name in ("threshold", "editing_threshold", "temperature")} == {
        "threshold": 0.6,
        "editing_threshold": 0.4,
        "temperature": 0.5,
    }
    assert (facts.settings["max_denoising_steps"], facts.settings["max_new_tokens"]) == (9, CANVAS)
    assert facts.versions["diffusers"]
    assert facts.eos_token_ids == (1,)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_ends_early_keeps_its_steps_and_the_pipeline(tiny, error):
    pipe = pipeline_of(tiny, "DDIM")
    called(pipe)
    before = attributes_of(pipe)

    def fail(_pipe, step, _timestep, _tensors):
        if step == 2:
            raise error("enough")
        return {}

    with pytest.raises(error), record(pipe) as recording:
        called(pipe, callback_on_step_end=fail, confidence_threshold=None)
    assert attributes_of(pipe) == before
    assert recording.trace.n_steps == 3
    assert recording.trace.facts.status == ("failed" if error is ValueError else "interrupted")
    assert not len(recording.trace.emitted)


def test_on_step_sees_each_step_and_may_end_the_run(tiny):
    pipe, seen = pipeline_of(tiny, "block refinement"), []

    def watch(step):
        seen.append((step.canvas, step.step_in_canvas, int((step.decision == Decision.KEPT).sum())))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), record(pipe, on_step=watch) as recording:
        called(pipe, confidence_threshold=None)
    assert [place[:2] for place in seen] == [(0, 0), (0, 1), (0, 2)]
    assert recording.trace.n_steps == 3


class OwnScheduler:
    """Does what another one does, under a name that nobody knows."""

    def __init__(self, inner):
        self.inner, self.config = inner, inner.config

    def set_timesteps(self, num_inference_steps, device=None):
        self.inner.set_timesteps(num_inference_steps, device)

    def step(self, model_output, timestep, sample, *, temperature=0.0, generator=None, return_dict=True):
        return self.inner.step(
            model_output, timestep, sample, temperature=temperature, generator=generator, return_dict=return_dict
        )


def test_an_unknown_scheduler_is_warned_of_and_the_call_goes_on(tiny):
    pipe = pipeline_of(tiny, "DDIM")
    plain, *_ = called(pipe)
    pipe.scheduler = OwnScheduler(pipe.scheduler)
    with pytest.warns(RecorderWarning, match="scheduler OwnScheduler is not known"), record(pipe) as recording:
        sequences, *_ = called(pipe)
    assert torch.equal(plain, sequences)
    with pytest.raises(RecordingError, match="did not finish a single denoising step"):
        _ = recording.trace
