"""What is found about drafts is found at open positions: where the sampler holds a token, only an argmax flips."""

from dataclasses import replace

import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.tiny.vocabulary import MASK_ID
from tests.handmade import masked_trace
from tests.recorders.pipelines import called, pipeline_of

STAYS = ["x .", "x .", "x .", "x .", "x .", "x .", "x <eos>"]
ENDS = ["x <eos>"] * 6


def found(trace, reference=None):
    """Findings by rule, but for those about the sampler's rules, which no trace made by hand obeys."""
    findings = diagnose(trace, reference)
    return {finding.rule: finding for finding in findings if finding.rule != "reference-rule-broken"}


def confidences(drafts, other, at=0):
    """0.9 everywhere, and another one at a position."""
    width = len(drafts[0].split())
    return [[other if position == at else 0.9 for position in range(width)] for _ in drafts]


def test_an_argmax_that_flips_at_a_fixed_position_is_no_oscillation():
    drafts = ["x <eos>", "y <eos>", "x <eos>", "y <eos>", "x <eos>", "y <eos>"]
    sure = confidences(drafts, 0.95)
    assert not found(masked_trace(STAYS, drafts, confidence=sure))
    open_until_the_last = masked_trace([". ."] * 6 + ["x <eos>"], [*drafts[1:], "x <eos>"], confidence=sure)
    assert found(open_until_the_last)["oscillation"].positions == (0,)


def test_positions_of_the_finding_are_the_open_ones():
    drafts = ["x a <eos>", "y b <eos>", "x a <eos>", "y b <eos>", "x a <eos>", "y b <eos>"]
    trace = masked_trace(["x . ."] * 6 + ["x b <eos>"], drafts, confidence=confidences(drafts, 0.95, at=1))
    assert found(trace)["oscillation"].positions == (1,)


def test_doubt_about_a_given_token_is_no_doubt_about_the_answer():
    assert not found(masked_trace(STAYS, ENDS, confidence=confidences(ENDS, 0.2)))
    doubted = masked_trace([". ."] * 6 + ["x <eos>"], ENDS, confidence=confidences(ENDS, 0.2))
    assert found(doubted)["never-confident"].positions == (0,)


def test_a_token_is_judged_by_the_steps_in_which_it_was_open():
    """Unmasked at 0.3; that the model believes it once it stands there says nothing of the choice."""
    read, drafts = [". .", "x .", "x <eos>"], ["x <eos>", "x <eos>"]
    sure_later = masked_trace(read, drafts, confidence=[[0.3, 0.9], [0.99, 0.9]])
    assert found(sure_later)["never-confident"].positions == (0,)


def test_text_drafted_behind_a_fixed_end_was_not_given_up():
    read = [". . . .", ". <eos> <eos> <eos>", ". <eos> <eos> <eos>", "a <eos> <eos> <eos>"]
    drafts = ["a <eos> <eos> <eos>", "a b c d", "a <eos> <eos> <eos>"]
    assert not found(masked_trace(read, drafts))
    assert found(masked_trace([". . . ."] * 3 + read[-1:], drafts))["premature-end"].positions == (1, 2, 3)


def test_text_drafted_behind_a_fixed_end_does_not_go_on():
    read = [". . .", "a <eos> <eos>", "a <eos> <eos>"]
    drafts = ["a <eos> <eos>", "a <eos> c"]
    assert not found(masked_trace(read, drafts))
    assert "text-after-end" in found(masked_trace([". . .", ". . .", "a <eos> <eos>"], drafts))


def test_wrong_and_fixed_is_stuck_whatever_the_argmax_says_later():
    trace = masked_trace([". .", "x .", "x .", "x <eos>"], ["x <eos>", "y <eos>", "y <eos>"])
    rules = found(trace, "y")
    assert rules["accepted-wrong-and-stuck"].positions == (0,)
    assert "right-then-lost" not in rules, "the right draft came when it no longer mattered"


@pytest.mark.parametrize(("text", "unclosed"), [(". b . d", False), ("a b . .", True), (". . . .", True)])
def test_infilling_needs_no_end(text, unclosed):
    """A text that ends with given tokens was not cut off; one whose last position was to be filled may have been."""
    trace = masked_trace([text, "a b c d"], ["a b c d"])
    assert ("unclosed-turn" in found(trace)) is unclosed


@pytest.fixture(scope="module")
def infilled():
    """The bundled mask-token model fills two numbers of a sum whose end is given."""
    model, tokenizer = load_tiny("masked")
    prompt = encode_prompt(tokenizer, TASKS["sort"].example_prompts[1])["input_ids"]
    answer = torch.tensor([tokenizer.encode(TASKS["sort"].right_answer(TASKS["sort"].example_prompts[1]))])
    x = torch.cat([prompt, answer], dim=1)
    start, masks = prompt.shape[1], (0, 2)
    x[0, [start + place for place in masks]] = MASK_ID
    recorder = dv.Recorder(tokenizer, prompt=prompt, mask_token_id=MASK_ID, sampler="infilling")
    with torch.no_grad():
        for place in masks:
            logits = model(x).logits
            before, candidate = x.clone(), logits.argmax(-1)
            x[0, start + place] = candidate[0, start + place]
            recorder.step(noised=before[:, start:], logits=logits[:, start:], candidate=candidate[:, start:])
    recorder.emit(x[:, start:])
    return recorder.trace


def test_a_real_infilling_of_the_bundled_model_is_not_accused(infilled):
    assert "unclosed-turn" not in found(infilled)
    assert "never-confident" not in found(infilled)


def test_committed_drafts_of_real_block_refinement_are_not_looked_at():
    """Committed in the first step by a high quota: what its argmax does in later steps cannot be an oscillation."""
    pipe = pipeline_of(dv.load_tiny(), "block refinement")
    with dv.record(pipe) as recording:
        called(pipe, num_inference_steps=12, confidence_threshold=None, temperature=1.0)
    trace = recording.trace
    decided = trace.decision[:, 0]
    first_kept = (decided == 2).argmax(axis=0)
    flicker = trace.draft.copy()
    position = int(first_kept[first_kept > 0].argmin())
    held = first_kept[position]
    assert held < len(flicker) - 5
    flicker[held::2, 0, position] = (flicker[held::2, 0, position] + 1) % trace.facts.vocab_size
    shaken = replace(trace, draft=flicker)
    flipping = [finding for finding in diagnose(shaken) if finding.rule == "oscillation"]
    assert all(position not in finding.positions for finding in flipping)
