"""One checkpoint, several ways of decoding: they agree where they must, and their costs are counted."""

import numpy as np
import pandas as pd
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.analysis.decoding_work import decoding_work
from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs import decoding
from dgemma_viz.labs.decoding import (
    break_even_lengths,
    crossover_batches,
    drafted_by,
    time_by_batch,
    time_by_length,
)
from dgemma_viz.labs.decoding.scaling import overtaking
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import labelled
from dgemma_viz.tiny.autoregressive import greedy_decode
from dgemma_viz.tiny.evaluate import held_out_examples
from dgemma_viz.tiny.tasks import TASKS


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def raced(bundled):
    prompts = [held_out_examples(task, 2, seed=11)[i].prompt for task in TASKS for i in (0, 1)]
    return decoding.race(*bundled, prompts, ["autoregressive", "drafted", "looked up", "diffusion"], repeats=1)


def test_the_causal_half_decodes_as_a_plain_greedy_loop_does(bundled):
    model, tokenizer = bundled
    prompts = [held_out_examples(task, 1, seed=4)[0].prompt for task in TASKS]
    inputs = encode(tokenizer, prompts)
    causal = decoding.as_causal(model)
    expected = greedy_decode(model, inputs, max_new_tokens=100)
    found = causal.generate(**inputs, max_new_tokens=100)[:, inputs["input_ids"].shape[1] :]
    assert torch.equal(found, expected[:, : found.shape[1]])
    assert causal.lm_head.weight is model.lm_head.weight
    assert causal.model is model.model.encoder


def test_verified_drafts_give_the_greedy_output(raced):
    for prompt in raced.prompts:
        runs = raced.of(prompt)
        outputs = {name: runs[name].trace.output_ids().tolist() for name in ("autoregressive", "drafted", "looked up")}
        assert outputs["drafted"] == outputs["looked up"] == outputs["autoregressive"]


def test_sampled_verification_keeps_the_distribution(bundled):
    """arXiv 2211.17192: the third token of many runs, of which the drafter proposes two, by its frequencies."""
    model, tokenizer = bundled
    causal, drafter, runs = decoding.as_causal(model), dv.load_tiny("drafter")[0], 500
    inputs = encode(tokenizer, "sort 53918=")
    settings, begin = {"do_sample": True, "temperature": 6.0, "top_k": 0, "max_new_tokens": 3}, 9
    assert inputs["input_ids"].shape[1] == begin
    torch.manual_seed(0)
    many = {name: value.repeat(4000, 1) for name, value in inputs.items()}
    plain = causal.generate(**many, **settings)[:, -1]
    drafter.generation_config.num_assistant_tokens = 2
    verified = torch.cat([causal.generate(**inputs, **settings, assistant_model=drafter)[:, -1] for _ in range(runs)])
    expected, found = (torch.bincount(tokens, minlength=len(tokenizer)) / len(tokens) for tokens in (plain, verified))
    common = expected > 0.02
    assert common.sum() >= 3
    spread = (expected * (1 - expected) * (1 / runs + 1 / len(plain))).sqrt()
    assert ((found - expected).abs()[common] < 4.5 * spread[common]).all()


def test_what_each_way_costs(raced):
    table = raced.table().set_index(["prompt", "way"])
    for prompt in raced.prompts:
        rows = table.loc[prompt]
        one, drafts = rows.loc["autoregressive"], rows.loc["drafted"]
        assert one.forwards == one.tokens == one.positions
        assert one.wasted == 0
        assert drafts.forwards <= one.forwards
        assert drafts.drafter_forwards >= drafts.forwards - 1
        canvas = rows.loc["diffusion"]
        assert canvas.positions == canvas.forwards * 48
        assert np.allclose(rows["refined_share"] + rows["outside_share"], rows["wasted"])
        assert rows.loc[["autoregressive", "drafted", "looked up"], "outside"].eq(0).all()
        if canvas.canvases == 1:
            assert canvas.outside == canvas.forwards * (48 - canvas.tokens)
            assert canvas.refined_share == pytest.approx((canvas.forwards - 1) * canvas.tokens / canvas.positions)
    assert (table["seconds"] > 0).all()
    summary = raced.summary()
    assert summary.loc["drafted", "tokens_per_forward"] > 2
    assert summary.loc["diffusion", "wasted"] > summary.loc["drafted", "wasted"]
    assert summary.loc["autoregressive", "right"] == summary.loc["drafted", "right"]


def test_the_drafters_passes_are_those_of_the_drafter(bundled):
    model, tokenizer = bundled
    drafter, passes = dv.load_tiny("drafter")[0], []
    ways = {"sampler": drafted_by(drafter), "draft_tokens": 3}
    handle = drafter.register_forward_hook(lambda *_: passes.append(1))
    raced = decoding.race(model, tokenizer, "sort 53918=", {"drafted": ways}, repeats=1)
    handle.remove()
    work = decoding_work(raced.runs[0].trace)
    assert len(passes) == 2 * work.drafter_forwards  # recorded once, timed once
    assert drafter.generation_config.num_assistant_tokens != 3


def test_a_failed_way_keeps_its_trace(bundled):
    model, tokenizer = bundled
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("out of memory")

    handle = model.lm_head.register_forward_pre_hook(fail)
    with pytest.raises(RunFailedError, match="out of memory") as caught:
        decoding.race(model, tokenizer, "sort 53918=", "autoregressive")
    handle.remove()
    assert caught.value.trace.n_steps == 2


def test_times_against_length_and_batch(bundled):
    model, tokenizer = bundled
    lengths = time_by_length(model, tokenizer, "sort 53918=", (1, 48, 49), repeats=2)
    assert list(lengths.columns) == ["way", "length", "round", "seconds"]
    assert lengths.groupby(["way", "length"])["round"].apply(list).map(lambda turns: turns == [0, 1]).all()
    assert set(break_even_lengths(lengths)) == {"diffusion, 4 steps", "diffusion, 9 steps"}
    batches = time_by_batch(model, tokenizer, ["sort 53918=", "add 347+678="], (1, 3), length=6, repeats=1)
    assert np.allclose(batches["tokens_per_second"], batches["batch"] * 6 / batches["seconds"])
    assert set(crossover_batches(batches)) == {"diffusion, 4 steps", "diffusion, 9 steps"}


@pytest.mark.parametrize(
    ("slow", "fast", "expected"),
    [
        ([1, 2, 3], [2, 2, 2], 2),
        ([1, 2, 3], [4, 4, 4], np.nan),
        ([2, 3, 4], [1, 1, 1], 1),
        ([1, 4, 4], [2, 2, 2], 4 / 3),
    ],
)
def test_where_one_overtakes_the_other(slow, fast, expected):
    assert overtaking([1, 2, 3], slow, fast) == pytest.approx(expected, nan_ok=True)


def test_the_crossing_is_found_in_a_table():
    rows = [("autoregressive", n, 2.0 * n) for n in (1, 10)] + [("diffusion", n, 10.0) for n in (1, 10)]
    assert break_even_lengths(pd.DataFrame(rows, columns=["way", "length", "seconds"])) == pytest.approx(
        {"diffusion": 5.0}
    )


def test_the_fastest_round_counts_and_the_rounds_give_the_range():
    """One slow call, as when the machine had other work to do, moves the range and not the crossing."""
    rows = [("autoregressive", n, turn, 2.0 * n) for n in (1, 10) for turn in (0, 1)]
    rows += [("diffusion", n, turn, took) for turn, took in ((0, 10.0), (1, 16.0)) for n in (1, 10)]
    table = pd.DataFrame(rows, columns=["way", "length", "round", "seconds"])
    assert break_even_lengths(table) == pytest.approx({"diffusion": 5.0})
    assert decoding.ranges(break_even_lengths, table)["diffusion"] == pytest.approx((5.0, 8.0))
    never = table.assign(seconds=table["seconds"] * (1 + 9 * ((table["way"] == "diffusion") & (table["round"] == 1))))
    assert decoding.ranges(break_even_lengths, never)["diffusion"] == pytest.approx((5.0, np.nan), nan_ok=True)
    cut_short = table.iloc[:-1]
    assert decoding.ranges(break_even_lengths, cut_short)["diffusion"] == pytest.approx((5.0, 5.0))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda m, t: decoding.race(m, t, "sort 53918=", "beam"), "no sampler 'beam'"),
        (lambda m, t: decoding.race(m, t, "sort 53918=", []), "no setting to run"),
        (lambda m, t: decoding.race(m, t, [], "diffusion"), "no prompt to run"),
        (
            lambda m, t: decoding.race(m, t, "sort 53918=", ["diffusion", "diffusion"]),
            "two settings are called 'diffusion'",
        ),
        (lambda m, t: decoding.race(m, t, "sort 53918=", [7]), "7 is not a setting"),
        (lambda m, t: decoding.race(m, t, "sort 53918=", repeats=0), "repeats of 0 is out of range"),
        (lambda m, t: decoding.race(m, t, "sort 53918=", max_new_tokens=0), "max_new_tokens of 0 is out of range"),
        (lambda m, t: decoding.race(m, t, "sort 53918=").of("sort 1="), "was not among the prompts"),
        (
            lambda *_: labelled({"a": {"sampler": "autoregressive", "temperature": 0}}),
            "temperature of 0 is out of range",
        ),
        (lambda *_: labelled({"a": {"sampler": "drafted", "draft_tokens": 0}}), "draft_tokens of 0 is out of range"),
        (lambda *_: labelled({"a": {"sampler": "looked up", "draft_tokens": True}}), "not True"),
        (lambda *_: labelled({"a": {"sampler": "diffusion", "threshold": 1}}), "no parameter 'threshold'"),
        (lambda m, t: run(m, t, ["sort 1=", "sort 2="], "drafted"), "one prompt at a time"),
        (lambda m, t: time_by_length(m, t, "sort 53918=", ()), "no lengths"),
        (lambda m, t: time_by_length(m, t, "sort 53918=", (0,)), "length of 0 is out of range"),
        (lambda m, t: time_by_batch(m, t, ["sort 53918="], (2,), "drafted"), "one prompt at a time"),
        (lambda m, t: time_by_length(m, t, "sort 53918=", (2,), "discrete_ddim"), "ignore the end"),
    ],
)
def test_bad_input_is_refused_with_a_reason(bundled, attempt, message):
    with pytest.raises(SettingError, match=message):
        attempt(*bundled)


def test_only_a_diffusion_gemma_has_a_causal_half():
    with pytest.raises(SettingError, match="needs a DiffusionGemmaForBlockDiffusion"):
        decoding.as_causal(dv.load_tiny("drafter")[0])


def test_decoding_left_to_right_is_a_sampler_like_any_other(bundled, raced):
    prompt = raced.prompts[0]
    trace = run(*bundled, prompt, "autoregressive")
    assert trace.output_ids().tolist() == raced.of(prompt)["autoregressive"].trace.output_ids().tolist()
    assert (trace.facts.task.sampler, trace.facts.task.prompt) == ("autoregressive", prompt)
    found = dv.sweep(*bundled, [prompt], {"sampler": ["autoregressive", "drafted"]})
    assert found.failed == 0
    assert found.table["forwards"].tolist()[0] == trace.n_steps
