"""Channels that never end, leave no answer, or lie across canvases are found; healthy thinking is not."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.diagnosis import Severity, channels, diagnose
from tests.handmade import handmade_trace
from tests.real_text import real_trace

RULES = [rule.name for rule in channels.RULES]
NEVER, NO_ANSWER, ACROSS = RULES


def findings(trace):
    return {found.rule: found for found in diagnose(trace) if found.rule in RULES}


def ran(*canvases, prompt=()):
    """A run that emitted these words after this prompt."""
    trace = handmade_trace(*([words] for words in canvases), words=prompt)
    ids = {text: token for token, text in trace.token_texts.items()}
    asked = np.array([[ids[word] for word in prompt]], dtype=int).reshape(1, -1)
    return replace(trace, prompt=asked, prompt_mask=np.ones(asked.shape, dtype=bool))


@pytest.mark.parametrize(
    "output",
    [
        "<|channel> thought hmm <channel|> yes <turn|> <eos>",
        "<think> hmm </think> yes <eos>",
        "yes <think> hmm </think> no <eos>",
        "<|channel|> analysis <|message|> hmm <|end|> <|start|> assistant <|channel|> final <|message|> yes <|return|>",
        "yes no <eos>",
        "<|channel> thought <channel|> <|tool_call> yes <tool_call|> <turn|>",
    ],
)
def test_healthy_thinking_is_silent(output):
    assert findings(ran(output)) == {}


def test_an_empty_channel_of_the_template_is_silent():
    """DiffusionGemma's template opens and closes one where thinking is off."""
    assert findings(ran("yes <turn|> <eos>", prompt=("<|turn>", "model", "<|channel>", "thought", "<channel|>"))) == {}
    assert findings(ran("yes <eos>", prompt=("<think>", "hmm", "<|im_start|>"))) == {}, "the prompt's own fault"


@pytest.mark.parametrize(
    ("output", "prompt"),
    [
        ("<|channel> thought hmm hmm <eos> <eos>", ()),
        ("<|channel> thought hmm <turn|> <eos> <eos>", ("<|turn>", "model")),
        ("<|channel> thought hmm hmm no no", ()),
        ("hmm hmm no no no no", ("<|im_start|>", "assistant", "<think>")),
    ],
)
def test_a_channel_that_never_ends_is_an_error_where_nothing_else_is_said(output, prompt):
    found = findings(ran(output, prompt=prompt))
    assert list(found) == [NEVER]
    assert found[NEVER].severity is Severity.ERROR
    assert "answer is missing" in found[NEVER].what
    assert ("The prompt opens" in found[NEVER].what) == bool(prompt and "<think>" in prompt)
    words = output.split()
    assert words[found[NEVER].positions[0]] in ("hmm", "no")


def test_a_channel_that_never_ends_behind_an_answer_is_a_warning():
    found = findings(ran("yes <think> hmm hmm no <eos>"))
    assert found[NEVER].severity is Severity.WARNING
    assert found[NEVER].evidence["tokens"] == 4


@pytest.mark.parametrize("output", ["<think> hmm </think> <eos> <eos>", "<|channel> thought hmm <channel|> <turn|>"])
def test_a_channel_without_an_answer_is_an_error(output):
    found = findings(ran(output))
    assert list(found) == [NO_ANSWER]
    assert found[NO_ANSWER].severity is Severity.ERROR
    assert "ends, and no text follows" in found[NO_ANSWER].what
    assert "'think'" in found[NO_ANSWER].what or "without a name" in found[NO_ANSWER].what


def test_text_before_a_channel_makes_it_a_note():
    assert findings(ran("yes <think> hmm </think> <eos> <eos>"))[NO_ANSWER].severity is Severity.NOTE


def test_a_channel_across_canvases_is_a_note_at_the_seam():
    trace = ran("<think> hmm hmm hmm", "hmm </think> yes <eos>")
    found = findings(trace)
    assert list(found) == [ACROSS]
    assert found[ACROSS].severity is Severity.NOTE
    assert (found[ACROSS].canvas, found[ACROSS].positions) == (1, (0, 1))


def test_real_text_with_a_long_thought_has_the_note_alone():
    found = findings(real_trace(length=16, steps=3))
    assert list(found) == [ACROSS]
    assert "'thought'" in found[ACROSS].what
    assert findings(real_trace(length=256, steps=3)) == {}


def test_without_texts_the_rules_are_not_applied():
    bare = replace(ran("yes <eos>"), token_texts={})
    assert {name for name, _ in diagnose(bare).not_applied} >= set(RULES)
