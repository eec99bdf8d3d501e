"""The same canvases through another model: exact where the models are one, and right about what B's own run did."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.analysis.parity_verdict import Verdict
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.decoding import as_causal
from dgemma_viz.labs.interventions import Replace, intervene, replay
from dgemma_viz.labs.interventions.repeatable import cut
from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.recorders.hooks import InstanceHooks
from tests.recorders.conftest import CANVAS, VOCABULARY, bound, prompts, small_model, small_tokenizer

SEEDS = range(4)


@pytest.fixture(scope="module")
def small():
    return small_model(), small_tokenizer()


@pytest.fixture(scope="module")
def half(small):
    return copy.deepcopy(small[0]).to(torch.bfloat16)


@pytest.fixture(scope="module")
def eighth(small):
    """In int8, by torch's own dynamic quantisation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's successor is another package
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(small[0]), {torch.nn.Linear}, dtype=torch.qint8)


def recorded(model, tokenizer, seed=0, batch=1, **arguments):
    """A trace of the user's own call."""
    torch.manual_seed(seed)
    with dv.record(model, tokenizer) as recording:
        model.generate(**prompts(batch), **arguments)
    return recording.trace


@pytest.mark.parametrize("mode", ["own", "recorded"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_recorded_model_has_no_drift_at_all(small, batch, mode):
    trace = recorded(*small, batch=batch, max_new_tokens=2 * CANVAS)
    assert trace.n_canvases == 2
    found = dv.parity(trace, small[0], model_a=small[0], self_conditioning=mode, layers=True)
    assert (found.table[["max_drift", "kl", "draft_flips", "accepted_flips", "candidate_flips"]] == 0).all(axis=None)
    assert found.table["positions"].sum() == trace.active.sum() * CANVAS == found.compared.sum()
    assert found.flips.empty
    assert found.first_flip is None
    assert (found.layers["relative_norm"] == 0).all()
    assert np.array_equal(found.a.entropy[found.compared], trace.entropy[found.compared])
    assert np.array_equal(found.a.candidate[found.compared], trace.candidate[found.compared])
    assert np.array_equal(found.a.finished[trace.active], trace.finished[trace.active])
    assert "to the last bit" in found.explain()
    assert found.verdict is (Verdict.DOES_NOT if mode == "own" else Verdict.UNKNOWN)


def test_nothing_is_drawn_and_the_model_stays_as_it_was(small, half):
    trace, before = recorded(*small), torch.get_rng_state()
    attributes = {one: set(vars(one)) for one in (small[0], half)}
    dv.parity(trace, half, model_a=small[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert all(set(vars(one)) == known for one, known in attributes.items())


@pytest.mark.parametrize("kind", ["half", "eighth"])
def test_the_passes_tell_what_a_run_of_that_model_does(small, kind, request):
    """B runs by itself in its library's loop; its passes on A's canvases must say where it parts, and that it does."""
    model = request.getfixturevalue(kind)
    verdicts = set()
    for seed in SEEDS:
        trace = recorded(*small, seed=seed, batch=2)
        other = replay(model, small[1], trace).trace
        found = dv.parity(trace, model, model_a=small[0], trace_b=other, noise=())
        verdicts.add(found.verdict)
        alone = dv.parity(trace, model, model_a=small[0], noise=())
        if found.verdict is Verdict.EXPLAINS:
            assert alone.verdict is Verdict.ENOUGH
            assert alone.conclusion.place == found.conclusion.place
            assert "decides just so" in found.explain()
        else:
            assert alone.verdict is Verdict.DOES_NOT
    assert Verdict.EXPLAINS in verdicts
    assert verdicts <= {Verdict.EXPLAINS, Verdict.NOTHING}


@pytest.mark.compiled
def test_a_compiled_model_is_called_as_it_was_given(small):
    calls = []

    def backend(graph, _examples):
        def run(*args):
            calls.append(1)
            return graph(*args)

        return run

    trace = recorded(*small)
    found = dv.parity(trace, torch.compile(small[0], backend=backend), model_a=small[0], noise=())
    assert len(calls) >= trace.n_steps
    assert (found.table["max_drift"] == 0).all()


def test_numbers_of_a_step_are_those_of_the_two_models(small, half):
    """Against the models' own public call and double precision."""
    trace, inputs = recorded(*small), prompts(1)
    noised = torch.tensor(trace.noised[0], dtype=torch.long)
    with torch.no_grad():
        a, b = (one(**inputs, decoder_input_ids=noised).logits.double().numpy() for one in (small[0], half))
    found = dv.parity(trace, half, model_a=small[0])
    row, temperature = found.table.iloc[0], float(trace.temperature[0])
    apart = np.abs(a - b)
    np.testing.assert_allclose(row["max_drift"], apart.max(), rtol=1e-5)
    np.testing.assert_allclose(row["mean_drift"], apart.mean(), rtol=1e-5)
    np.testing.assert_allclose(row["rms_drift"], np.sqrt((apart**2).mean()), rtol=1e-5)
    logs = [one / temperature - np.logaddexp.reduce(one / temperature, axis=-1, keepdims=True) for one in (a, b)]
    np.testing.assert_allclose(row["kl"], (np.exp(logs[0]) * (logs[0] - logs[1])).sum(-1).mean(), rtol=1e-3, atol=1e-7)
    two = np.sort(a, axis=-1)[..., -2:]
    np.testing.assert_allclose(row["smallest_margin"], (two[..., 1] - two[..., 0]).min(), rtol=1e-4)
    assert row["draft_flips"] == (a.argmax(-1) != b.argmax(-1)).sum()


def test_a_draft_flips_where_more_is_taken_than_it_led_by(small, eighth):
    trace = recorded(*small, seed=1)
    found = dv.parity(trace, eighth, model_a=small[0])
    drafts = found.flips[found.flips["kind"] == "draft"]
    assert len(drafts) == found.table["draft_flips"].sum() > 0
    assert (drafts["taken"] >= drafts["lead"]).all()
    assert (drafts["lead"] >= 0).all()
    assert (drafts["taken"] <= 2 * drafts["drift"] + 1e-5).all()
    assert set(drafts["origin"]) <= {"a near tie", "more than noise"}
    assert found.first_flip["kind"] in {"draft", "accepted", "candidate", "stop"}


def logits_of(model, tokenizer, trace):
    """What the decoder gave in each step of a run, from outside."""
    kept = []

    def around(original, *args, **kwargs):
        output = original(*args, **kwargs)
        kept.append(output.logits.clone().numpy())
        return output

    with InstanceHooks() as hooks:
        hooks.wrap(model, "forward", around)
        assert replay(model, tokenizer, trace).identical
    return np.stack(kept)


def test_logits_of_another_runtime_are_taken_as_arrays(small):
    trace = recorded(*small, batch=2)
    arrays = logits_of(*small, trace)
    assert arrays.shape == (trace.n_steps, 2, CANVAS, VOCABULARY)
    found = dv.parity(trace, arrays, model_a=small[0], noise=())
    assert (found.table["max_drift"] == 0).all()
    assert found.verdict is Verdict.DOES_NOT
    shifted = [torch.from_numpy(one) for one in arrays.astype(np.float64)]
    shifted[1] = shifted[1].roll(1, dims=-1)
    found = dv.parity(trace, shifted, model_a=small[0], noise=())
    assert found.verdict is Verdict.ENOUGH
    assert found.conclusion.place == (0, 1, 0)


def test_with_b_alone_the_trace_stands_for_a(small, half):
    trace = recorded(*small, seed=2)
    both, alone = dv.parity(trace, half, model_a=small[0], noise=()), dv.parity(trace, half, noise=())
    counted = ["positions", "draft_flips", "accepted_flips", "candidate_flips", "stop_flips"]
    assert both.table[counted].equals(alone.table[counted])
    assert alone.table["max_drift"].isna().all()
    assert (alone.table["kl"] <= both.table["kl"] + 2e-3).all()
    np.testing.assert_allclose(alone.table["smallest_margin"], both.table["smallest_margin"], atol=2e-3)
    assert alone.verdict is both.verdict
    assert "Only B was at hand" in alone.explain()


def test_noise_of_known_size_gives_the_scale(small, half):
    trace = recorded(*small, seed=3)
    found = dv.parity(trace, half, model_a=small[0], noise=(1e-6, 10.0), seed=5)
    least, most, b, like = (row for _, row in found.calibration.iterrows())
    assert (least["what"], b["what"], like["what"]) == ("noise", "B", "noise of B's size")
    assert least["draft_flips"] == 0 < most["draft_flips"]
    assert least["kl"] < like["kl"] < most["kl"]
    assert b["std"] == pytest.approx(np.sqrt(np.mean(np.square(found.drift.rms[found.compared].astype(float)))))
    assert b["draft_flips"] == found.table["draft_flips"].sum()
    again = dv.parity(trace, half, model_a=small[0], noise=(1e-6, 10.0), seed=5)
    assert again.calibration.equals(found.calibration)


def test_recorded_self_conditioning_keeps_drift_from_adding_up(small, half):
    trace = recorded(*small)
    own, given = (
        dv.parity(trace, half, model_a=small[0], self_conditioning=mode, noise=()) for mode in ("own", "recorded")
    )
    first = trace.step_in_canvas[: len(own.table)] == 0
    assert (own.table["max_drift"][first] == given.table["max_drift"][first]).all()
    assert (own.table["max_drift"][~first] != given.table["max_drift"][~first]).any()


def test_layers_are_those_of_the_models(small, half):
    trace, inputs = recorded(*small), prompts(1)
    found = dv.parity(trace, half, model_a=small[0], noise=(), layers=True)
    layers = small[0].config.text_config.num_hidden_layers
    assert found.layers.groupby("step").size().unique().tolist() == [layers + 1]
    noised = torch.tensor(trace.noised[0], dtype=torch.long)
    with torch.no_grad():
        a, b = (
            one(**inputs, decoder_input_ids=noised, output_hidden_states=True).hidden_states[1].double()
            for one in (small[0], half)
        )
    row = found.layers[(found.layers["step"] == 0) & (found.layers["layer"] == 1)].iloc[0]
    assert row["cosine"] == pytest.approx(float(torch.cosine_similarity(a, b, dim=-1).mean()), abs=1e-9)
    assert row["relative_norm"] == pytest.approx(float(((b - a).norm(dim=-1) / a.norm(dim=-1)).mean()), rel=1e-6)


# -- whose fault it is: with check_conformance ------------------------------------------------------------------------


def test_a_fault_of_the_sampler_is_not_laid_on_the_model(small):
    model = small[0]
    trace = recorded(*small, seed=1)
    with FAULTS["argmax-in-canvas"].plant(model):
        broken = recorded(*small, seed=1)
    assert dv.check_conformance(broken).violations
    found = dv.parity(trace, model, model_a=model, trace_b=broken)
    assert found.verdict is Verdict.DOES_NOT
    assert "other tokens were read" in found.explain()
    assert found.flips.empty


def test_a_fault_of_the_stop_rule_is_not_laid_on_the_model(small):
    trace = recorded(*small, seed=1)
    with FAULTS["stability-off-by-one"].plant(small[0]):
        broken = recorded(*small, seed=1)
    found = dv.parity(trace, small[0], trace_b=broken, noise=())
    assert found.verdict is Verdict.DOES_NOT
    assert "one of them stops" in found.explain()


def test_a_fault_of_the_model_is_not_laid_on_the_sampler(small):
    broken_model, tokenizer = small
    healthy = copy.deepcopy(broken_model)
    trace = recorded(healthy, tokenizer, seed=1)
    with FAULTS["loop"].plant(broken_model):
        broken = recorded(broken_model, tokenizer, seed=1)
        found = dv.parity(trace, broken_model, model_a=healthy, trace_b=broken)
    assert not dv.check_conformance(broken).violations
    assert found.verdict is Verdict.EXPLAINS
    assert found.table["max_drift"].max() > 10
    assert "The answers differ" in found.explain()


def test_runs_from_other_noise_say_nothing_of_the_models(small, half):
    found = dv.parity(recorded(*small, seed=1), half, model_a=small[0], trace_b=recorded(*small, seed=2), noise=())
    assert found.verdict is Verdict.UNKNOWN
    assert "other random tokens" in found.explain()


def test_a_run_that_was_interrupted_is_not_taken_for_another_decision(small):
    trace = recorded(*small, seed=1)
    found = dv.parity(trace, small[0], model_a=small[0], trace_b=cut(trace, 1), noise=())
    assert found.verdict is Verdict.UNKNOWN
    assert found.conclusion.place == (0, 1, 0)
    assert "ended before that step" in found.explain()


def test_a_run_that_ended_before_its_answer_is_not_called_the_same(small):
    whole = recorded(*small, seed=1, max_new_tokens=2 * CANVAS, eos_token_id=None)
    shorter = recorded(*small, seed=1, max_new_tokens=CANVAS, eos_token_id=None)
    for trace in (shorter, cut(whole, 2), cut(whole, shorter.n_steps)):
        found = dv.parity(trace, small[0], model_a=small[0], trace_b=whole, noise=())
        assert found.verdict is Verdict.UNKNOWN
        assert "one of the two went on" in found.explain()
    assert dv.parity(whole, small[0], trace_b=whole, noise=()).verdict is Verdict.NOTHING
    alone = dv.parity(cut(whole, 2), small[0], model_a=small[0], noise=())
    assert alone.verdict is Verdict.UNKNOWN
    assert "the recorded run ended before its answer (interrupted)" in alone.explain()


def test_other_settings_of_b_s_run_are_named_and_another_prompt_is_refused(small):
    trace = recorded(*small, seed=1)
    for given, what in (({"t_max": 1.9, "t_min": 1.8}, "temperature"), (bound(40.0), "entropy bound")):
        other = recorded(*small, seed=1, **given)
        found = dv.parity(trace, small[0], model_a=small[0], trace_b=other, noise=())
        assert found.verdict is Verdict.DOES_NOT
        assert f"other settings there: {what}" in found.explain()
    prompt = trace.prompt.copy()
    prompt[0, -1] += 1
    with pytest.raises(TraceError, match="another prompt in sample 0"):
        dv.parity(trace, small[0], trace_b=replace(trace, prompt=prompt))


def test_an_answer_that_differs_without_a_decision_is_not_called_the_same(small):
    trace = recorded(*small, seed=1, eos_token_id=None)
    emitted = replace(trace, emitted=(trace.emitted + 1) % VOCABULARY)
    found = dv.parity(trace, small[0], model_a=small[0], trace_b=emitted, noise=())
    assert found.verdict is Verdict.DOES_NOT
    assert "its answer differs" in found.explain()


def test_what_b_decides_when_told_otherwise_is_no_verdict_on_its_own_run(small):
    """Its self-conditioning alone was changed: in step 0, which is told nothing, all is as it was."""
    trace, other = recorded(*small, seed=1), copy.deepcopy(small[0])
    other.model.decoder.self_conditioning.pre_norm.weight.data.mul_(-30)
    found = dv.parity(trace, other, model_a=small[0], self_conditioning="recorded", noise=())
    assert found.table["accepted_flips"].iloc[0] == 0 < found.table["accepted_flips"].sum()
    assert found.verdict is Verdict.UNKNOWN
    assert "but with A's self-conditioning; ask again" in found.explain()


def test_a_run_that_the_second_model_did_not_make_is_told(small):
    """Heavy noise made the run, other logits were handed over: they differ from A's, and from each other."""
    trace = recorded(*small, seed=1)
    with FAULTS["noisy-logits"].plant(small[0]):
        strange = recorded(*small, seed=1)
    arrays = [one.copy() for one in logits_of(*small, trace)]
    arrays[0] = np.roll(arrays[0], 3, axis=-1)
    found = dv.parity(trace, arrays, model_a=small[0], trace_b=strange, noise=())
    assert found.verdict is Verdict.UNKNOWN
    assert "what made that run?" in found.explain()


def test_another_model_than_the_recorded_one_is_not_taken_for_it(small):
    trace = recorded(*small, seed=1)
    found = dv.parity(trace, small[0], model_a=small_model(seed=7), noise=())
    assert found.verdict is Verdict.UNKNOWN
    assert "not the model that was recorded" in found.explain()


def test_without_the_random_numbers_candidates_are_not_compared(small):
    trace = replace(recorded(*small), generator_state=None)
    found = dv.parity(trace, small[0], model_a=small[0], noise=())
    assert found.verdict is Verdict.UNKNOWN
    assert found.table["candidate_flips"].isna().all()
    assert "no state of the random generator" in found.explain()


# -- left to right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", [{}, {"do_sample": True, "temperature": 1.3, "top_k": 0}])
def test_left_to_right_runs_are_read_in_one_pass(small, half, sampling):
    causal, other = as_causal(small[0]), as_causal(half)
    arguments = {"max_new_tokens": 12, **sampling}
    trace = recorded(causal, small[1], seed=4, batch=2, **arguments)
    same = dv.parity(trace, causal, model_a=causal)
    assert (same.table["max_drift"] == 0).all()
    assert same.verdict is Verdict.DOES_NOT
    assert np.array_equal(same.a.draft[same.compared], trace.draft[same.compared])
    assert np.array_equal(same.a.candidate[same.compared], trace.candidate[same.compared])
    found = dv.parity(trace, other, model_a=causal, trace_b=recorded(other, small[1], seed=4, batch=2, **arguments))
    assert (found.table["max_drift"] > 0).all()
    assert found.verdict in (Verdict.EXPLAINS, Verdict.NOTHING)


def test_left_to_right_logits_may_be_arrays(small):
    causal = as_causal(small[0])
    trace = recorded(causal, small[1], batch=1, max_new_tokens=9)
    ids = torch.tensor(np.concatenate([trace.prompt, trace.emitted[0]], axis=1), dtype=torch.long)
    with torch.no_grad():
        logits = causal(input_ids=ids).logits[:, trace.prompt.shape[1] - 1 : -1].numpy()
    found = dv.parity(trace, [logits], model_a=causal)
    assert found.table["max_drift"].max() < 1e-4
    assert found.verdict is Verdict.DOES_NOT


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_model_of_another_kind_or_size_is_refused(small):
    trace = recorded(*small)
    with pytest.raises(SettingError, match="must be a model, or its logits as arrays"):
        dv.parity(trace, 3.0)
    with pytest.raises(SettingError, match="has no canvas"):
        dv.parity(trace, as_causal(small[0]))
    with pytest.raises(SettingError, match="vocabulary"):
        dv.parity(trace, small_model(vocab_size=VOCABULARY + 8))
    longer = small_model()
    longer.config.canvas_length = CANVAS + 4
    with pytest.raises(SettingError, match=f"canvas has {CANVAS} positions, the model's {CANVAS + 4}"):
        dv.parity(trace, longer)
    causal = recorded(as_causal(small[0]), small[1], max_new_tokens=4)
    with pytest.raises(SettingError, match=r"as_causal\(model\)"):
        dv.parity(causal, small[0])


def test_arrays_of_another_shape_or_not_finite_are_refused(small):
    trace = recorded(*small, batch=2)
    arrays = np.zeros((trace.n_steps, 2, CANVAS, VOCABULARY), dtype=np.float32)
    with pytest.raises(SettingError, match=f"for {trace.n_steps - 1} steps, and the trace has {trace.n_steps}"):
        dv.parity(trace, arrays[1:])
    with pytest.raises(SettingError, match="step 0 have shape"):
        dv.parity(trace, arrays[..., 1:])
    for other, kind in ((arrays.astype(complex), "complex128"), (arrays.astype(str), "str"), (arrays > 0, "bool")):
        with pytest.raises(SettingError, match=f"step 0 are of type {kind}"):
            dv.parity(trace, other)
    with pytest.raises(SettingError, match="must be a model, or its logits as arrays"):
        dv.parity(trace, np.array(3.0))
    arrays[1, 0, 3, 2] = np.nan
    with pytest.raises(SettingError, match="not finite in canvas 0, step 1, sample 0, position 3"):
        dv.parity(trace, arrays)


def test_a_model_whose_logits_are_no_numbers_is_named(small):
    trace = recorded(*small)
    with FAULTS["nan-logits"].plant(small[0]), pytest.raises(SettingError, match="model_b are not finite in canvas 0"):
        dv.parity(trace, small[0])


def test_a_trace_that_cannot_be_read_again_is_refused(small):
    trace = recorded(*small)
    with pytest.raises(TraceError, match="takes a Trace"):
        dv.parity(["no", "trace"], small[0])
    with pytest.raises(TraceError, match="no prompt"):
        dv.parity(replace(trace, prompt=trace.prompt[:, :0], prompt_mask=trace.prompt_mask[:, :0]), small[0])
    with pytest.raises(TraceError, match="size of its vocabulary"):
        dv.parity(replace(trace, facts=replace(trace.facts, vocab_size=0)), small[0])
    changed = intervene(*small, trace, [Replace({2: 9}, step=1)]).trace
    with pytest.raises(TraceError, match="changed on purpose"):
        dv.parity(changed, small[0])
    masked = replace(trace, facts=replace(trace.facts, mask_token_id=3, sampler="x", sampler_kind="mask-token"))
    with pytest.raises(TraceError, match="mask-token sampler"):
        dv.parity(masked, small[0])
    with pytest.raises(TraceError, match="trace_b has 3 samples"):
        dv.parity(trace, small[0], trace_b=recorded(*small, batch=3))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"self_conditioning": "mine"}, "'own' or 'recorded'"),
        ({"self_conditioning": "recorded"}, "needs model_a"),
        ({"layers": True}, "needs model_a"),
        ({"noise": (0.1, -1)}, "noise level of -1"),
        ({"noise": 0.1}, "a list of standard deviations"),
        ({"seed": 0.5}, "a seed"),
    ],
)
def test_options_out_of_range_are_refused(small, given, words):
    with pytest.raises(SettingError, match=words):
        dv.parity(recorded(*small), small[0], **given)
