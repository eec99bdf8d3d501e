"""Turns and channels are recognised by tokens that are markup, in the forms of the families people use."""

from dataclasses import replace

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import dgemma_viz as dv
from dgemma_viz.analysis.chat import chat_structure
from dgemma_viz.errors import TraceError
from dgemma_viz.trace import load_trace, save_json_lines
from dgemma_viz.trace.chat_markers import CHAT_MARKERS, MARKER_TEXTS
from dgemma_viz.trace.json_lines import load_json_lines
from tests.handmade import handmade_trace

UNKNOWN, PAD, END = "<unk>", "<pad>", "<eos>"
WORDS = (
    *(
        UNKNOWN,
        PAD,
        END,
        "a",
        "b",
        "c",
        "hmm",
        "yes",
        "no",
        "user",
        "model",
        "assistant",
        "thought",
        "analysis",
        "final",
    ),
    *("think", "\n", " ", "<", ">", "/", "|", "[", "]"),
)
PIECES = r"\n| |\w+|[^\w\s]"


def tokenizer_with(*special, added=()):
    """A word tokenizer with these special tokens, and with tokens that were added as text."""
    table = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    table.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    table.decoder = decoders.Fuse()
    known = {"unk_token": UNKNOWN, "pad_token": PAD, "eos_token": END}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=table, clean_up_tokenization_spaces=False, **known)
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.add_tokens([AddedToken(text, special=False) for text in added])
    return tokenizer


def written(tokenizer, prompt, *canvases, **facts):
    """A trace of a run that wrote these canvases, each in two steps."""
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in canvases]
    longest = max(map(len, ids))
    ids = [row + [tokenizer.pad_token_id] * (longest - len(row)) for row in ids]
    asked = tokenizer.encode(prompt, add_special_tokens=False) if prompt else None
    recorder = dv.Recorder(tokenizer, prompt=asked, **facts)
    for row in ids:
        for draft in ([tokenizer.unk_token_id] * longest, row):
            recorder.step(noised=row, draft=draft, candidate=draft, accepted=[True] * longest)
        recorder.emit(row)
    return recorder.trace


GEMMA = ("<|turn>", "<turn|>", "<|channel>", "<channel|>")
CHATML = ("<|im_start|>", "<|im_end|>")
LLAMA = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
HARMONY = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>")
MISTRAL = ("[INST]", "[/INST]", "[THINK]", "[/THINK]")
LING = ("<role>", "</role>", "<|role_end|>")
FAMILIES = {
    "gemma": (
        tokenizer_with(*GEMMA),
        "<|turn>user\nyes<turn|>\n<|turn>model\n",
        "<|channel>thought\nhmm<channel|>yes<turn|>",
        [("user", True), ("model", True)],
        [("thought", 5, True, False)],
    ),
    "gemma without thinking": (
        tokenizer_with(*GEMMA),
        "<|turn>user\nyes<turn|>\n<|turn>model\n<|channel>thought\n<channel|>",
        "yes<turn|>",
        [("user", True), ("model", True)],
        [("thought", 0, True, False)],
    ),
    "gemma 3": (
        tokenizer_with("<start_of_turn>", "<end_of_turn>"),
        "<start_of_turn>user\nyes<end_of_turn>\n<start_of_turn>model\n",
        "no<end_of_turn>",
        [("user", True), ("model", True)],
        [],
    ),
    "qwen, thinking opened by the template": (
        tokenizer_with(*CHATML, added=("<think>", "</think>")),
        "<|im_start|>user\nyes<|im_end|>\n<|im_start|>assistant\n<think>\n",
        "hmm\n</think>\nyes<|im_end|>",
        [("user", True), ("assistant", True)],
        [("think", 3, True, False)],
    ),
    "llama": (
        tokenizer_with(*LLAMA),
        "<|start_header_id|>user<|end_header_id|>\n\nyes<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "no<|eot_id|>",
        [("user", True), ("assistant", True)],
        [],
    ),
    "harmony": (
        tokenizer_with(*HARMONY),
        "<|start|>user<|message|>yes<|end|><|start|>assistant",
        "<|channel|>analysis<|message|>hmm<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>",
        [("user", True), ("assistant", True), ("assistant", True)],
        [("analysis", 5, True, False), ("final", 5, True, True)],
    ),
    "mistral": (
        tokenizer_with(*MISTRAL),
        "[INST]yes[/INST]",
        "[THINK]hmm hmm[/THINK]yes<eos>",
        [("user", True)],
        [("think", 5, True, False)],
    ),
    "deepseek": (
        tokenizer_with("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", added=("<think>", "</think>")),
        "<｜User｜>yes<｜Assistant｜><think>\n",
        "hmm</think>\nno<｜end▁of▁sentence｜>",
        [("user", True), ("assistant", True)],
        [("think", 2, True, False)],
    ),
    "granite": (
        tokenizer_with("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        "<|start_of_role|>user<|end_of_role|>yes<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
        "no<|end_of_text|>",
        [("user", True), ("assistant", True)],
        [],
    ),
    "glm": (
        tokenizer_with("<|user|>", "<|assistant|>", added=("<think>", "</think>")),
        "<|user|>\nyes<|assistant|>\n",
        "<think></think>\nno<|user|>",
        [("user", True), ("assistant", True), ("user", False)],
        [("think", 2, True, False)],
    ),
    "ling": (
        tokenizer_with(*LING, added=("<think>", "</think>")),
        "<role>user</role>yes<|role_end|><role>assistant</role>",
        "<think>\n</think>yes<|role_end|>",
        [("user", True), ("assistant", True)],
        [("think", 3, True, False)],
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_recognised(name):
    tokenizer, prompt, output, turns, channels = FAMILIES[name]
    structure = chat_structure(written(tokenizer, prompt, output))
    assert structure.recorded
    assert [(turn.name, turn.ended) for turn in structure.turns] == turns
    assert [(one.name, one.tokens, one.ended, one.spoken) for one in structure.channels] == channels
    assert structure.answer


def test_what_a_user_writes_is_no_markup():
    """``<think>`` as ordinary characters is several tokens, and nothing begins."""
    prompt = "<|im_start|>user\n<think><|im_end|>\n<|im_start|>assistant\n"
    trace = written(tokenizer_with(*CHATML), prompt, "<think>hmm<eos>")
    assert trace.output_text() == "<think>hmm"
    assert not chat_structure(trace).channels


def test_a_token_with_the_text_of_a_marker_is_text_where_the_tokenizer_says_so():
    trace = written(tokenizer_with(*GEMMA), "", "<|channel>thought\nhmm<channel|>yes<eos>")
    assert chat_structure(trace).channels
    said_otherwise = replace(trace, facts=replace(trace.facts, special_token_ids=()))
    assert not chat_structure(said_otherwise).channels


def test_a_trace_of_before_goes_by_the_texts_and_says_so():
    trace = written(tokenizer_with(*GEMMA), "", "<|channel>thought\nhmm<channel|>yes<eos>")
    older = replace(trace, facts=replace(trace.facts, special_token_ids=None))
    assert not chat_structure(older).recorded
    assert chat_structure(older).channels == chat_structure(trace).channels


def test_added_tokens_that_are_text_are_not_recorded_as_markup():
    tokenizer = tokenizer_with(*CHATML, added=("<think>", "</think>", "<b>", "  "))
    trace = written(tokenizer, "", "<think><b>  hmm</think>yes<|im_end|>")
    special = {trace.token_text(token) for token in trace.facts.special_token_ids}
    assert special == {"<unk>", "<think>", "</think>", "<|im_end|>"}


def test_an_own_loop_without_a_tokenizer_may_say_which_ids_are_markup():
    recorder = dv.Recorder(vocab_size=9, special_token_ids=[7, 8])
    recorder.step(noised=[1, 2], draft=[7, 2], accepted=[True, True])
    recorder.emit([7, 2])
    assert recorder.trace.facts.special_token_ids == (7, 8)


def test_the_note_survives_both_file_formats(tmp_path):
    trace = written(tokenizer_with(*GEMMA), "<|turn>user\n", "<|channel>thought\nhmm<channel|>yes<eos>")
    trace.save(tmp_path / "run.safetensors")
    save_json_lines(trace, tmp_path / "run.jsonl")
    for again in (load_trace(tmp_path / "run.safetensors"), load_json_lines(tmp_path / "run.jsonl")):
        assert again.facts.special_token_ids == trace.facts.special_token_ids
    facts = replace(trace.facts, special_token_ids=())
    assert type(facts).from_json(facts.to_json()).special_token_ids == ()
    for wrong in ("ab", [1.5], [True], 3):
        with pytest.raises(TraceError, match="special_token_ids"):
            type(facts).from_json({"special_token_ids": wrong})


def test_a_channel_over_two_canvases_is_told_canvas_by_canvas_with_its_work():
    trace = written(tokenizer_with(*GEMMA), "", "yes <|channel>thought\nhmm hmm", "no<channel|>yes yes yes<eos>")
    (channel,) = chat_structure(trace).channels
    assert channel.stretches == ((0, 2, 8), (1, 0, 2))
    assert (channel.begin, channel.end) == ((0, 2), (1, 1))
    assert channel.tokens == 8
    assert channel.steps == 4
    assert channel.share == pytest.approx((2 * 6 / 8 + 2 * 2 / 8) / 4)
    assert [stretch for stretch in chat_structure(trace).answer if stretch.canvas] == [(1, 2, 7)]


def test_a_channel_that_never_ends_stops_where_the_output_does():
    tokenizer = tokenizer_with(*GEMMA)
    for output in ("<|channel>thought\nhmm<eos>", "<|channel>thought\nhmm<turn|>", "<|channel>thought\nhmm"):
        structure = chat_structure(written(tokenizer, "<|turn>model\n", output, eos_token_ids=[tokenizer.eos_token_id]))
        (channel,) = structure.channels
        assert (channel.ended, channel.end, channel.tokens) == (False, None, 4)
        assert structure.answer == ()


def test_an_end_without_a_begin_belongs_to_a_prompt_that_was_not_recorded():
    tokenizer = tokenizer_with(*CHATML, added=("<think>", "</think>"))
    output = "hmm</think>yes<|im_end|>"
    (channel,) = chat_structure(written(tokenizer, "", output)).channels
    assert (channel.begin, channel.end, channel.tokens, channel.ended) == (None, (0, 1), 2, True)
    assert chat_structure(written(tokenizer, "<|im_start|>user\n", output)).channels == ()


def test_parts_nest_and_a_new_turn_ends_what_is_open():
    tokenizer = tokenizer_with(*CHATML, added=("<think>", "</think>"))
    nested = chat_structure(written(tokenizer, "", "<think>a<think>b</think>c</think>yes<eos>"))
    assert [(one.tokens, one.ended, one.outer) for one in nested.channels] == [(7, True, True), (3, True, False)]
    broken = chat_structure(written(tokenizer, "", "<think>hmm<|im_start|>user\nyes<eos>"))
    assert [(one.name, one.ended, one.tokens) for one in broken.channels] == [("think", False, 2)]
    assert [(one.name, one.ended) for one in broken.turns] == [("user", False)]


def test_a_line_of_text_is_no_name():
    trace = written(tokenizer_with(*GEMMA), "", f"<|channel>{'hmm ' * 30}\nno<channel|>yes<eos>")
    assert [one.name for one in chat_structure(trace).channels] == [""]


def test_a_run_without_markup_or_steps_has_no_structure():
    structure = chat_structure(handmade_trace(["a b <eos>"]))
    assert (structure.turns, structure.channels) == ((), ())
    assert [tuple(stretch) for stretch in structure.answer] == [(0, 0, 2)]
    with pytest.raises(TraceError, match="sample 1"):
        chat_structure(handmade_trace(["a b <eos>"]), 1)


def test_a_run_that_was_interrupted_is_read_as_it_was_drafted():
    trace = handmade_trace(["x x", "<|channel> hmm"], status="interrupted")
    trace = replace(trace, prompt_mask=np.zeros_like(trace.prompt_mask))
    (channel,) = chat_structure(trace).channels
    assert (channel.tokens, channel.ended) == (2, False)


@pytest.mark.parametrize("token", sorted(MARKER_TEXTS))
def test_any_run_of_markers_is_followed_in_time_and_without_an_error(token):
    other = sorted(MARKER_TEXTS)[(len(token) * 7) % len(MARKER_TEXTS)]
    trace = handmade_trace([" ".join([token, other] * 200)])
    structure = chat_structure(trace)
    assert np.all([0 <= part.share <= 1 + 1e-9 for part in (*structure.turns, *structure.channels)])


def test_opening_tokens_are_unlike():
    begins = [marker.begin for marker in CHAT_MARKERS]
    assert len(begins) == len(set(begins))
    assert not set(begins) & {end for marker in CHAT_MARKERS for end in marker.ends}
