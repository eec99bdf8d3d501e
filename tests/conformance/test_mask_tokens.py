"""Loops of mask-token models: what they emit, keep and unmask is held against what they say that they do."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.conformance import check_conformance
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.tiny.vocabulary import MASK_ID

LENGTH = 16


@pytest.fixture(scope="module")
def models():
    return dv.load_tiny("masked")


def most_confident(confidence, masked, quota):
    """As many of the masked positions as asked for, or as there are."""
    return confidence.masked_fill(~masked, -1).topk(min(quota, int(masked.sum()))).indices


def overfull(confidence, masked, quota):
    """As many positions as asked for, also where fewer masks are left: a fault of real loops."""
    return confidence.masked_fill(~masked, -1).topk(quota).indices


def least_confident(confidence, masked, quota):
    return confidence.masked_fill(~masked, 2).topk(min(quota, int(masked.sum())), largest=False).indices


def above(confidence, masked, threshold):
    """Fast-dLLM: all above the threshold, at least the best."""
    sure = masked & (confidence > threshold)
    return sure.nonzero()[:, 0] if sure.any() else most_confident(confidence, masked, 1)


def loop(models, choose, amount, *, block=LENGTH, temperature=0.0, say=False, emit=lambda ids: ids, **facts):
    """LLaDA's loop (arXiv 2502.09992, algorithm 5) over one canvas, block by block."""
    model, tokenizer = models
    random = torch.Generator().manual_seed(3)
    prompt = encode_prompt(tokenizer, TASKS["sudoku"].example_prompts[1])["input_ids"]
    canvas = torch.full((LENGTH,), MASK_ID)
    recorder = dv.Recorder(tokenizer, prompt=prompt, mask_token_id=MASK_ID, sampler="LLaDA", **facts)
    for end in range(block, LENGTH + 1, block):
        while (canvas[:end] == MASK_ID).any():
            with torch.no_grad():
                logits = model(torch.cat([prompt, canvas[None]], dim=1)).logits[0, -LENGTH:]
            p = logits.softmax(-1)
            candidate = p.argmax(-1)
            if temperature:
                candidate = torch.multinomial((logits / temperature).softmax(-1), 1, generator=random)[:, 0]
            confidence = p.gather(1, candidate[:, None])[:, 0]
            before, masked = canvas.clone(), (canvas == MASK_ID) & (torch.arange(LENGTH) < end)
            chosen = choose(confidence, masked, amount)
            canvas[chosen] = candidate[chosen]
            accepted = {"accepted": torch.isin(torch.arange(LENGTH), chosen)} if say else {}
            recorder.step(noised=before, logits=logits, candidate=candidate, **accepted)
    recorder.emit(emit(canvas.clone()))
    return recorder.trace


def broken(trace, **settings):
    return {violation.rule: violation for violation in check_conformance(trace, settings).violations}


HEALTHY = {
    "quota": (most_confident, 3, {}, {"quota": 3, "remasking": "low_confidence"}),
    "quota that changes": (most_confident, 4, {}, {"quota": [4, 4, 4, 4]}),
    "quota of blocks": (most_confident, 3, {"block": 8}, {"quota": 3, "block_length": 8, "order": "confidence"}),
    "threshold": (above, 0.9, {}, {"threshold": 0.9}),
    "threshold and blocks": (above, 0.999, {"block": 8}, {"threshold": 0.999, "block_length": 8}),
    "hot": (most_confident, 3, {"temperature": 2.0}, {"quota": 3}),
}


@pytest.mark.parametrize("say", [False, True])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_loops_are_accused_of_nothing(models, name, say):
    choose, amount, options, settings = HEALTHY[name]
    report = check_conformance(loop(models, choose, amount, say=say, settings=settings, **options))
    assert report.ok, str(report)
    assert {"unmasked-stay", "emitted-is-last-canvas", "unmasked-as-many", "undecided-masked"} <= {*report.passed}
    known = "remasking" in settings or "order" in settings or "threshold" in settings
    assert ("unmasked-surest" in report.passed) == known
    assert ("unmasked-in-blocks" in report.passed) == ("block_length" in settings)


def test_what_is_not_known_is_not_claimed(models):
    report = check_conformance(loop(models, most_confident, 3))
    assert str(report).startswith("Conforms to the rules of a mask-token sampler in what could be checked: ")
    reasons = dict(report.not_checked)
    assert "'quota' or 'threshold'" in reasons["unmasked-as-many"]
    assert "'order'" in reasons["unmasked-surest"]
    assert "'block_length'" in reasons["unmasked-in-blocks"]


@pytest.mark.parametrize("say", [False, True])
def test_emitted_tokens_that_the_canvas_never_held_are_named(models, say):
    trace = loop(models, most_confident, 3, say=say, emit=lambda ids: (ids + 7) % 90)
    violation = broken(trace)["emitted-is-last-canvas"]
    assert violation.position is not None
    assert "was emitted, but step" in violation.what


@pytest.mark.parametrize("say", [False, True])
def test_a_committed_token_that_is_overwritten_is_named(models, say):
    """In the last step as in earlier ones: fewer masks are left than the loop wants to fill."""
    trace = loop(models, overfull, 5, temperature=3.0, say=say)
    violation = broken(trace)["unmasked-stay"]
    assert violation.step == trace.n_steps - 1
    before, after = trace.noised[-1, 0, violation.position], trace.emitted[0, 0, violation.position]
    assert (violation.found, violation.expected) == (f"token {after}", f"token {before}")
    assert "'commits_stay'" in violation.what
    held = int(np.flatnonzero(trace.noised[1, 0] != MASK_ID)[0])
    noised = np.array(trace.noised)
    noised[2:, 0, held] = (noised[2:, 0, held] + 1) % 90
    assert broken(replace(trace, noised=noised))["unmasked-stay"].step == 1


def test_a_sampler_that_edits_may_say_so(models):
    trace = loop(models, overfull, 5, temperature=3.0, settings={"commits_stay": False})
    report = check_conformance(trace)
    assert report.ok
    assert "may change what it unmasked" in dict(report.not_checked)["unmasked-stay"]
    assert check_conformance(loop(models, overfull, 5, temperature=3.0, settings={"editing_threshold": 0.1})).ok


@pytest.mark.parametrize(
    ("choose", "amount", "settings", "rule"),
    [
        (most_confident, 3, {"quota": 4}, "unmasked-as-many"),
        (most_confident, 5, {"quota": 4}, "unmasked-as-many"),
        (most_confident, 3, {"threshold": 0.7}, "unmasked-as-many"),
        (above, 0.5, {"threshold": 0.9}, "unmasked-as-many"),
        (least_confident, 3, {"quota": 3, "remasking": "low_confidence"}, "unmasked-surest"),
        (least_confident, 3, {"quota": 3, "alg": "entropy"}, "unmasked-surest"),
        (most_confident, 4, {"quota": 4, "block_length": 4}, "unmasked-in-blocks"),
    ],
)
def test_other_positions_than_the_parameters_say_are_named(models, choose, amount, settings, rule):
    violation = broken(loop(models, choose, amount, settings=settings))[rule]
    assert violation.step is not None


def test_a_setting_may_be_given_to_the_check(models):
    trace = loop(models, most_confident, 3)
    assert broken(trace, quota=4)["unmasked-as-many"].step == 0
    assert not broken(trace, quota=3)


@pytest.mark.parametrize("value", ["3", True, [], [3, "4"], [-1], {"a": 1}, float("nan")])
def test_parameters_of_a_hostile_file(models, value):
    settings = {"quota": value, "block_length": value, "order": value, "commits_stay": value, "remasking": value}
    report = check_conformance(loop(models, most_confident, 3, settings=settings))
    assert report.ok, str(report)
    assert "unmasked-as-many" in dict(report.not_checked)


@pytest.mark.parametrize("meaning", ["now", "so far"])
def test_logs_whose_accepted_means_one_or_the_other(models, tmp_path, meaning):
    """LLaDA's ``transfer_index`` is true where the step unmasks; other loops log what is unmasked by now."""
    trace = loop(models, most_confident, 3, temperature=2.0)
    path = tmp_path / "run.jsonl"
    lines = [
        {
            "format": "dgemma_viz.lines",
            "version": 1,
            "facts": {"mask_token_id": MASK_ID, "vocab_size": trace.facts.vocab_size, "sampler": "LLaDA"},
        }
    ]
    for step in range(trace.n_steps):
        put = trace.noised[step, 0] == MASK_ID if meaning == "now" else np.full(LENGTH, True)
        accepted = trace.accepted[step, 0] & put
        arrays = {name: getattr(trace, name)[step, 0].tolist() for name in ("noised", "draft", "candidate")}
        lines.append({"step": step, **arrays, "accepted": accepted.tolist()})
    path.write_text("\n".join(map(json.dumps, [*lines, {"emitted": trace.emitted[0, 0].tolist()}])))
    report = check_conformance(dv.load_trace(path))
    assert report.ok, str(report)
    assert {"accepted-kept", "unmasked-stay", "undecided-masked", "emitted-is-last-canvas"} <= {*report.passed}
