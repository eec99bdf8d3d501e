"""Recording diffusers' LLaDA2Pipeline changes nothing, and its trace says what the pipeline did."""

import numpy as np
import pytest
import torch
from diffusers import BlockRefinementScheduler, LLaDA2Pipeline

from dgemma_viz.diagnosis import diagnose
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.tiny.vocabulary import EOS_ID, MASK_ID
from dgemma_viz.trace import Decision, Phase, load_trace

SUDOKU = TASKS["sudoku"].example_prompts[0]
PROMPTS = [SUDOKU, TASKS["addition"].example_prompts[0], TASKS["sort"].example_prompts[2]]

OPTIONS = {
    "defaults": (1, {}),
    "batch": (3, {}),
    "greedy, editing off": (3, {"sampling_method": "greedy", "editing_threshold": None}),
    "hot": (3, {"temperature": 1.5, "threshold": 0.9}),
    "hot, edits at once": (2, {"temperature": 6.0, "editing_threshold": 0.01, "max_post_steps": 3}),
    "hot, edits to the end": (2, {"temperature": 6.0, "editing_threshold": 0.01, "eos_early_stop": False}),
    "hot, editing off": (3, {"temperature": 1.5, "editing_threshold": None}),
    "filtered": (2, {"temperature": 1.2, "top_k": 5, "top_p": 0.8}),
    "automatic sampling": (2, {"temperature": 0.8, "sampling_method": "auto"}),
    "small blocks": (3, {"block_length": 8, "num_inference_steps": 4}),
    "blocks after the end": (2, {"block_length": 8, "eos_early_stop": False}),
    "output ends inside a block": (2, {"gen_length": 11, "block_length": 8}),
    "one step": (1, {"num_inference_steps": 1}),
    "own generator": (2, {"temperature": 1.0, "generator": 5}),
    "plain output": (1, {"return_dict": False, "output_type": "text"}),
}


@pytest.fixture(scope="module")
def tiny():
    return load_tiny("masked")


def pipeline_of(tiny, **config):
    model, tokenizer = tiny
    pipe = LLaDA2Pipeline(model=model, scheduler=BlockRefinementScheduler(**config), tokenizer=tokenizer)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def called(pipe, batch=1, seed=12, **options):
    torch.manual_seed(seed)
    if "generator" in options:
        options["generator"] = torch.Generator().manual_seed(options["generator"])
    inputs = encode_prompt(pipe.tokenizer, PROMPTS[:batch])
    result = pipe(**inputs, **{"gen_length": 32, "output_type": "seq", **options})
    return (result[0] if isinstance(result, tuple) else result.sequences), torch.get_rng_state(), result


def recorded(pipe, batch=1, seed=12, **options):
    with record(pipe) as recording:
        called(pipe, batch, seed, **options)
    return recording.trace


def attributes_of(pipe):
    return type(pipe), [sorted(vars(part)) for part in (pipe, pipe.scheduler, pipe.model)]


def assert_follows(trace):
    """What a step left is what the next one of its canvas read."""
    for step in range(1, trace.n_steps):
        if trace.canvas[step] != trace.canvas[step - 1]:
            continue
        decision, read = trace.decision[step - 1], trace.noised[step]
        put = np.isin(decision, (Decision.ACCEPTED, Decision.EDITED))
        kept = decision == Decision.KEPT
        np.testing.assert_array_equal(read[put], trace.candidate[step - 1][put])
        np.testing.assert_array_equal(read[kept], trace.noised[step - 1][kept])
        np.testing.assert_array_equal(read == MASK_ID, decision == Decision.NOISE)


@pytest.mark.parametrize(("batch", "options"), OPTIONS.values(), ids=OPTIONS)
def test_same_output_and_consistent_trace(tiny, batch, options):
    pipe = pipeline_of(tiny)
    plain, plain_state, _ = called(pipe, batch, **options)
    before = attributes_of(pipe)
    with record(pipe) as recording:
        sequences, state, result = called(pipe, batch, **options)
    assert attributes_of(pipe) == before
    assert torch.equal(plain, sequences)
    assert torch.equal(plain_state, state)
    trace = recording.trace
    assert trace.facts.status == "complete"
    assert not trace.facts.notices
    assert_follows(trace)
    for sample, ids in enumerate(sequences.tolist()):
        denoised = ids[: trace.emitted.shape[0] * trace.canvas_length - trace.facts.output_span[0]]
        expected = denoised[: denoised.index(EOS_ID)] if EOS_ID in denoised else denoised
        assert trace.output_ids(sample).tolist() == expected
    if options.get("output_type") == "text":
        assert trace.output_text() == result[1][0]
    if "generator" in options:
        assert trace.facts.seed == 5
        np.testing.assert_array_equal(trace.generator_state, torch.Generator().manual_seed(5).get_state().numpy())


def test_the_cases_cover_what_they_are_for(tiny):
    """Edits, editing passes, frozen rows, several blocks, masks that stay behind the end."""
    pipe = pipeline_of(tiny)
    traces = {name: recorded(pipe, batch, **options) for name, (batch, options) in OPTIONS.items()}
    assert (traces["hot, edits at once"].decision == Decision.EDITED).any()
    assert (traces["hot, edits to the end"].phase == Phase.EDIT).sum() > 2
    assert not (traces["hot, editing off"].decision == Decision.EDITED).any()
    assert traces["small blocks"].n_canvases > 2
    assert (~traces["small blocks"].active).any()
    assert traces["small blocks"].past_end.any()
    assert traces["blocks after the end"].active.all()


def test_the_prompt_in_the_first_block_is_kept_and_not_output(tiny):
    trace = recorded(pipeline_of(tiny))
    lead = 23  # tokens of the prompt: it fills no block of 32
    assert trace.facts.output_span == (lead, lead + 32)
    assert trace.prompt_text() == f"<bos>{SUDOKU}"
    run = trace.canvas_run()
    assert (run.array("decision")[:, :lead] == Decision.KEPT).all()
    np.testing.assert_array_equal(run.emitted[:lead], trace.prompt[0])
    assert not run.in_output[:lead].any()
    assert run.in_output[lead:].all()
    assert TASKS["sudoku"].check(SUDOKU, trace.output_text())


def test_a_mask_that_was_drawn_is_noise(tiny):
    """At a high temperature the sampler draws the mask token now and then, and 'unmasks' with it."""
    traces = [recorded(pipeline_of(tiny), 3, seed, temperature=8.0, threshold=1.0) for seed in range(6)]
    drawn = np.concatenate([(trace.candidate == MASK_ID).ravel() for trace in traces])
    assert drawn.any()
    for trace in traces:
        assert_follows(trace)


def test_a_prompt_longer_than_a_block(tiny):
    trace = recorded(pipeline_of(tiny), block_length=8)
    assert trace.facts.output_span == (23 % 8, 23 % 8 + 32)
    assert trace.prompt.shape[1] == 23


def test_what_was_sampled_from_is_what_is_recorded(tiny):
    """The scheduler's own probabilities of its candidates, whatever it filtered."""
    pipe, seen = pipeline_of(tiny), []

    def keep(_pipe, _step, _timestep, tensors):
        seen.append(tensors["sampled_probs"].clone())
        return {}

    options = {"callback_on_step_end": keep, "callback_on_step_end_tensor_inputs": ["sampled_probs"]}
    for sampling in ({}, {"temperature": 1.3}, {"temperature": 0.7, "top_k": 4, "top_p": 0.9}):
        seen.clear()
        trace = recorded(pipe, 2, **options, **sampling)
        np.testing.assert_allclose(trace.candidate_probability, torch.stack(seen).numpy(), rtol=1e-5)
        expected = sampling.get("temperature", 1.0)
        np.testing.assert_allclose(trace.temperature, expected)
        assert np.isnan(trace.entropy_bound).all()


def test_a_quota_of_masks_falls_in_each_step(tiny):
    """Threshold 1 forces the quota: with as many steps as positions, one token a step."""
    trace = recorded(pipeline_of(tiny), threshold=1.0, editing_threshold=None, block_length=8, num_inference_steps=8)
    counts = (trace.decision[:, 0] == Decision.ACCEPTED).sum(axis=-1)
    assert (counts[trace.phase == Phase.DENOISE] == 1).all()
    assert (counts[trace.phase == Phase.EDIT] == 0).all()


def test_a_block_done_before_the_step_limit_gets_one_pass_more(tiny):
    early = recorded(pipeline_of(tiny), editing_threshold=None, eos_early_stop=False)
    last_of_canvas = np.append(np.diff(early.canvas) > 0, [True])
    assert (early.phase[last_of_canvas] == Phase.EDIT).all()
    assert (early.phase[~last_of_canvas] == Phase.DENOISE).all()
    assert early.finished[last_of_canvas].all()


def test_facts_are_enough_to_run_it_again(tiny):
    facts = recorded(pipeline_of(tiny, minimal_topk=2), temperature=0.5, threshold=0.8).facts
    assert facts.sampler == "BlockRefinementScheduler"
    assert facts.mask_token_id == MASK_ID
    assert facts.eos_token_ids == (EOS_ID,)
    assert (facts.model_id, facts.vocab_size) == ("dgemma-viz-tiny-masked", 105)
    wanted = {
        "library": "diffusers",
        "temperature": 0.5,
        "threshold": 0.8,
        "editing_threshold": 0.5,
        "max_denoising_steps": 32,
        "max_new_tokens": 32,
        "canvas_length": 32,
    }
    assert {name: facts.settings[name] for name in wanted} == wanted


def test_the_scheduler_s_settings_rule_where_the_call_is_silent(tiny):
    pipe = pipeline_of(tiny, block_length=16, editing_threshold=0.3)
    settings = recorded(pipe, editing_threshold=None).facts.settings
    assert settings["canvas_length"] == 16
    assert settings["editing_threshold"] == 0.3


def test_the_trace_survives_a_file_and_can_be_diagnosed(tiny, tmp_path):
    trace = recorded(pipeline_of(tiny), 2)
    trace.save(tmp_path / "run.safetensors")
    again = load_trace(tmp_path / "run.safetensors")
    assert again.facts == trace.facts
    assert again.output_text(1) == trace.output_text(1)
    wrong = [
        f.sample
        for f in diagnose(again, reference=TASKS["sudoku"].right_answer(SUDOKU)).findings
        if f.rule == "wrong-answer"
    ]
    assert wrong == [1], "the second sample answers another question"


def test_a_callback_that_changes_the_block(tiny):
    def change(_pipe, _step, _timestep, tensors):
        block = tensors["block_x"].clone()
        block[:, 30] = 7
        return {"block_x": block}

    pipe = pipeline_of(tiny)
    plain, *_ = called(pipe, callback_on_step_end=change)
    with record(pipe) as recording:
        sequences, *_ = called(pipe, callback_on_step_end=change)
    trace = recording.trace
    assert torch.equal(plain, sequences)
    assert (trace.noised[1:][trace.step_in_canvas[1:] > 0][:, 0, 30] == 7).any()
    assert trace.emitted[0, 0, 30] == 7


def test_several_calls_in_a_block_and_one_after_it(tiny):
    pipe = pipeline_of(tiny)
    with record(pipe) as recording:
        called(pipe)
        called(pipe, 2, block_length=16)
    called(pipe)
    assert [(trace.n_samples, trace.canvas_length) for trace in recording.traces] == [(1, 32), (2, 16)]


def test_a_prompt_as_text(tiny):
    pipe = pipeline_of(tiny)
    with record(pipe) as recording:
        result = pipe(prompt=SUDOKU, gen_length=32)
    assert recording.trace.output_text() == result.texts[0]
    assert recording.trace.prompt_text() == f"<bos>{SUDOKU}"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_ends_early_keeps_its_steps_and_the_pipeline(tiny, error):
    pipe = pipeline_of(tiny)
    called(pipe)
    before = attributes_of(pipe)

    def fail(_pipe, step, _timestep, _tensors):
        if step == 1:
            raise error("enough")
        return {}

    with pytest.raises(error), record(pipe) as recording:
        called(pipe, callback_on_step_end=fail, threshold=1.0)
    assert attributes_of(pipe) == before
    assert recording.trace.n_steps == 2
    assert recording.trace.facts.status == ("failed" if error is ValueError else "interrupted")
    assert not len(recording.trace.emitted)
    assert recording.trace.output_text() == ""


def test_on_step_sees_each_step_and_may_end_the_run(tiny):
    pipe, seen = pipeline_of(tiny), []

    def watch(step):
        seen.append((step.canvas, step.step_in_canvas, int((step.decision == Decision.NOISE).sum())))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), record(pipe, on_step=watch) as recording:
        called(pipe, threshold=1.0)
    assert seen == [(0, 0, 8), (0, 1, 7), (0, 2, 6)]
    assert recording.trace.n_steps == 3


def test_a_call_that_is_refused_leaves_the_pipeline_and_no_trace(tiny):
    pipe = pipeline_of(tiny)
    before = attributes_of(pipe)
    with pytest.raises(ValueError, match="gen_length"), record(pipe) as recording:
        called(pipe, gen_length=0)
    assert attributes_of(pipe) == before
    with pytest.raises(RecordingError, match="did not finish a single denoising step"):
        _ = recording.trace


def test_a_tokenizer_of_another_model_is_refused(tiny):
    from tests.recorders.conftest import small_tokenizer

    with pytest.raises(RecordingError, match="do not belong"):
        record(pipeline_of(tiny), small_tokenizer(32))


def test_a_recorder_that_fails_warns_and_the_call_goes_on(tiny, monkeypatch):
    pipe = pipeline_of(tiny)
    plain, *_ = called(pipe)
    monkeypatch.setattr("dgemma_viz.recorders.diffusers_llada2.reduce_logits", lambda *_: 1 / 0)
    with pytest.warns(RecorderWarning, match="ZeroDivisionError"), record(pipe) as recording:
        sequences, *_ = called(pipe)
    assert torch.equal(plain, sequences)
    with pytest.raises(RecordingError, match="did not finish a single denoising step"):
        _ = recording.trace


class Plain(torch.nn.Module):
    """A model of nobody's library: no config, no dtype; the pipeline itself asks for the device."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.device = inner, torch.device("cpu")

    def forward(self, ids, attention_mask=None, position_ids=None):
        return self.inner(ids, attention_mask=attention_mask, position_ids=position_ids)


def test_a_model_of_any_class(tiny):
    pipe = pipeline_of((Plain(tiny[0]), tiny[1]))
    plain, *_ = called(pipe)
    with record(pipe) as recording:
        sequences, *_ = called(pipe)
    assert torch.equal(plain, sequences)
    facts = recording.trace.facts
    assert (facts.model_class, facts.model_id, facts.vocab_size) == ("Plain", "", 105)


def test_logits_in_bfloat16(tiny):
    import copy

    pipe = pipeline_of((copy.deepcopy(tiny[0]).to(torch.bfloat16), tiny[1]))
    plain, *_ = called(pipe, 2, temperature=1.0)
    with record(pipe) as recording:
        sequences, *_ = called(pipe, 2, temperature=1.0)
    assert torch.equal(plain, sequences)
    assert recording.trace.facts.dtype == "bfloat16"
    assert_follows(recording.trace)


def test_the_bundled_diffusiongemma_has_no_mask_token():
    """As in Gemma's vocabulary, the token is there, and is no special one."""
    tokenizer = load_tiny()[1]
    assert tokenizer.mask_token is None
    assert tokenizer.convert_tokens_to_ids("<mask>") == MASK_ID
