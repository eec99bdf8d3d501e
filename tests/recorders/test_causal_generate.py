"""Left-to-right decoding by transformers' generate(): nothing changes, and the steps are what was computed."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.labs import decoding
from dgemma_viz.recorders import record
from dgemma_viz.trace.decision import Decision


@pytest.fixture(scope="module")
def bundled():
    model, tokenizer = dv.load_tiny()
    return decoding.as_causal(model), tokenizer


@pytest.fixture(scope="module")
def drafter():
    return dv.load_tiny("drafter")[0]


@pytest.fixture(scope="module")
def other():
    """A model of another family, untrained, that ends by its limit only."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=1024,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def encoded(tokenizer, *prompts):
    return dict(tokenizer(list(prompts), return_tensors="pt", padding=True, return_token_type_ids=False))


def count_passes(model):
    passes = []
    handle = model.register_forward_hook(lambda *_: passes.append(1))
    return passes, handle


LIST = "list Sam: (a) green kite (b) green cup (c) pink kite (d) black ball (e) blue cup (f) gold hat (g) white doll"
CASES = {
    "greedy": (["add 347+678="], {}),
    "batch, left-padded": (["add 347+678=", LIST, "sort 53918="], {}),
    "sampled": ([LIST], {"do_sample": True, "temperature": 1.3, "top_k": 20}),
    "sampled batch": (["sort 53918=", LIST], {"do_sample": True}),
    "prompt lookup": ([LIST], {"prompt_lookup_num_tokens": 4}),
    "drafter": ([LIST], {"assistant": True}),
    "drafter, sampled": ([LIST], {"assistant": True, "do_sample": True, "temperature": 1.5}),
    "cut off": ([LIST], {"assistant": True, "max_new_tokens": 11}),
    "one token": (["sort 53918="], {"max_new_tokens": 1}),
}


@pytest.mark.parametrize(("prompts", "arguments"), CASES.values(), ids=CASES)
def test_nothing_changes_and_every_pass_is_a_step(bundled, drafter, prompts, arguments):
    model, tokenizer = bundled
    inputs, arguments = encoded(tokenizer, *prompts), dict(arguments)
    if arguments.pop("assistant", False):
        arguments["assistant_model"] = drafter
    torch.manual_seed(5)
    passes, handle = count_passes(model)
    bare = model.generate(**inputs, **arguments)
    handle.remove()
    state = torch.get_rng_state()

    torch.manual_seed(5)
    with dv.record(model, tokenizer) as recording:
        seen = model.generate(**inputs, **arguments)
    assert torch.equal(seen, bare)
    assert torch.equal(torch.get_rng_state(), state)
    assert not {"generate", "forward", "_get_logits_processor"} & vars(model).keys()

    trace = recording.trace
    assert trace.n_steps == len(passes)
    new = bare[:, inputs["input_ids"].shape[1] :].numpy()
    assert np.array_equal(trace.emitted.transpose(1, 0, 2).reshape(len(new), -1)[:, : new.shape[1]], new)
    drafts = {"assistant_model", "prompt_lookup_num_tokens"} & arguments.keys()
    assert trace.facts.sampler == ("speculative" if drafts else "autoregressive")
    assert trace.prompt_mask.sum() == inputs["attention_mask"].sum()


@pytest.mark.parametrize("name", ["greedy", "batch, left-padded", "prompt lookup", "drafter"])
def test_a_written_token_carries_the_distribution_that_the_whole_text_gives(bundled, drafter, name):
    """The reference is one pass over prompt and answer, without a cache and without recording."""
    model, tokenizer = bundled
    prompts, arguments = CASES[name]
    arguments = dict(arguments)
    if arguments.pop("assistant", False):
        arguments["assistant_model"] = drafter
    inputs = encoded(tokenizer, *prompts)
    with dv.record(model, tokenizer) as recording:
        whole = model.generate(**inputs, **arguments)
    trace, begin = recording.trace, inputs["input_ids"].shape[1]
    mask = torch.cat([inputs["attention_mask"], torch.ones_like(whole[:, begin:])], dim=1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(whole, attention_mask=mask, position_ids=positions).logits[:, begin - 1 : -1]
    expected = torch.distributions.Categorical(logits=logits).entropy().numpy()
    last = trace.entropy[-1]
    for sample in range(len(prompts)):
        length = len(trace.output_ids(sample)) + 1
        np.testing.assert_allclose(last[sample, :length], expected[sample, :length], atol=2e-4)


def test_drafted_tokens_are_read_and_kept_or_dropped(bundled, drafter):
    model, tokenizer = bundled
    inputs = encoded(tokenizer, "sudoku 234_/_1__/__2_/3__4=")  # the drafter is no master of these
    with dv.record(model, tokenizer) as recording:
        model.generate(**inputs, assistant_model=drafter)
    trace = recording.trace
    read, empty = trace.noised[:, 0], trace.facts.mask_token_id
    now = trace.decision[:, 0] == Decision.ACCEPTED
    before = trace.decision[:, 0] == Decision.KEPT
    drafted = (read != empty) & ~before
    agreed = drafted & now & (read == trace.candidate[:, 0])
    assert now.sum(axis=1).min() >= 1  # every pass writes at least its own token
    assert now.sum() == trace.canvas_length
    assert agreed.sum() == now.sum() - trace.n_steps + int((agreed.sum(axis=1) == now.sum(axis=1)).sum())
    assert (drafted & ~now).any()  # something was rejected
    assert trace.facts.settings["drafter_forwards"] > trace.n_steps


def test_what_is_not_predicted_has_no_numbers(bundled):
    model, tokenizer = bundled
    with dv.record(model, tokenizer) as recording:
        model.generate(**encoded(tokenizer, "add 347+678="))
    trace = recording.trace
    assert np.array_equal(np.isfinite(trace.entropy[:, 0]), np.tri(trace.n_steps, dtype=bool))
    assert np.isfinite(trace.mean_entropy).all()


@pytest.mark.parametrize("name", CASES)
def test_no_rule_is_broken_and_nothing_is_accused(bundled, drafter, name):
    model, tokenizer = bundled
    prompts, arguments = CASES[name]
    arguments = dict(arguments)
    if arguments.pop("assistant", False):
        arguments["assistant_model"] = drafter
    with dv.record(model, tokenizer) as recording:
        model.generate(**encoded(tokenizer, *prompts), **arguments)
    trace = recording.trace
    assert not dv.check_conformance(trace).violations
    found = {finding.rule for finding in dv.diagnose(trace).findings}
    assert found == ({"unclosed-turn"} if "max_new_tokens" in arguments else set())


def test_another_family_and_more_than_one_canvas(other):
    inputs = torch.arange(1, 6)[None]
    with dv.record(other) as recording:
        out = other.generate(inputs, max_new_tokens=300, do_sample=True)
    trace = recording.trace
    assert (trace.n_steps, trace.n_canvases, trace.canvas_length) == (300, 2, 256)
    assert trace.output_ids().tolist() == out[0, 5:].tolist()
    assert np.array_equal(np.bincount(trace.canvas), [256, 44])


def test_an_interrupted_call_leaves_the_passes_so_far(other):
    steps = 0

    def fail(*_):
        nonlocal steps
        steps += 1
        if steps > 4:
            raise RuntimeError("out of memory")

    handle = other.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"), record(other, None) as recording:
        other.generate(torch.arange(1, 6)[None], max_new_tokens=30)
    handle.remove()
    trace = recording.trace
    assert (trace.facts.status, trace.n_steps) == ("failed", 3)
    assert (trace.decision[-1] != Decision.NOISE).all()


def test_a_trace_comes_back_from_its_file(bundled, tmp_path):
    model, tokenizer = bundled
    with dv.record(model, tokenizer) as recording:
        model.generate(**encoded(tokenizer, LIST), prompt_lookup_num_tokens=4)
    recording.trace.save(tmp_path / "a.safetensors")
    again = dv.load_trace(tmp_path / "a.safetensors")
    assert again.output_text() == recording.trace.output_text()
    assert np.array_equal(again.entropy, recording.trace.entropy, equal_nan=True)


def test_what_cannot_be_recorded_is_said(other):
    with pytest.warns(UserWarning, match="beam search"), record(other, None) as recording:
        other.generate(torch.arange(1, 6)[None], max_new_tokens=4, num_beams=2)
    with pytest.raises(RecordingError, match="beam search"):
        _ = recording.trace
    with pytest.raises(SettingError, match="on_step is for denoising"):
        record(other, None, on_step=print)
    halves = T5ForConditionalGeneration(T5Config(vocab_size=20, d_model=8, d_ff=8, num_layers=1, num_heads=1, d_kv=8))
    with pytest.raises(RecordingError, match="half that reads the prompt"):
        record(halves, None)
