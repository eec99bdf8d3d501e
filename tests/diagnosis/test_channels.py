"""Channels that never end, leave no answer, or lie across canvases are found; healthy thinking is not."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

import dgemma_viz as dv
from dgemma_viz.analysis.chat import chat_structure
from dgemma_viz.diagnosis import Severity, channels, diagnose
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.sabotage.logits import edited_logits
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


def test_a_channel_across_canvases_is_a_note_at_the_boundary():
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


BEGIN, CLOSE = "<|channel>", "<channel|>"


@pytest.fixture(scope="module")
def chatting():
    """The bundled model with a tokenizer that has a channel's tokens in place of two words that sums do not use."""
    model, tokenizer = dv.load_tiny()
    table = json.loads(tokenizer.backend_tokenizer.to_str())
    words = table["model"]["vocab"]
    ids = [words[" (m)"], words[" (n)"]]
    names = dict(zip(ids, (BEGIN, CLOSE), strict=True))
    table["model"]["vocab"] = {names.get(token, word): token for word, token in words.items()}
    plain = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    table["added_tokens"] += [{"id": token, "content": name, **plain} for token, name in names.items()]
    special = {name: getattr(tokenizer, name) for name in ("pad_token", "eos_token", "bos_token", "unk_token")}
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(table)), **special)
    return model, made, ids


@pytest.mark.parametrize(("places", "expected"), [((0, None), {NEVER}), ((0, 3), {NO_ANSWER}), ((0, 1), set())])
def test_a_real_run_that_is_made_to_think_is_seen_to(chatting, places, expected):
    model, tokenizer, ids = chatting

    def think(_model, logits, _step):
        for place, token in zip(places, ids, strict=True):
            if place is None:
                logits[..., token] = float("-inf")
            else:
                logits[:, place, token] += 50
        return logits

    with edited_logits(think)(model), dv.record(model, tokenizer) as recording:
        model.generate(**encode(tokenizer, "add 123+345="))
    trace = recording.trace
    assert set(ids) & set(trace.facts.special_token_ids)
    (channel,) = chat_structure(trace).channels
    assert (channel.begin, channel.ended) == ((0, 0), places[1] is not None)
    assert {found.rule for found in diagnose(trace)} & set(RULES) == expected
