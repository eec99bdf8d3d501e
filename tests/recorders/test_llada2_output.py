"""What belongs to the output where a block begins inside the prompt: everything that reads a trace keeps to it."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.answer_history import draft_answers
from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.errors import TraceError
from dgemma_viz.recorders.own_loop import Recorder
from dgemma_viz.trace import load_trace
from dgemma_viz.trace.json_lines import load_json_lines, save_json_lines
from dgemma_viz.trace.model import RunFacts

EOS, MASK = 1, 0
TEXTS = dict(enumerate(["<mask>", "<eos>", "p", "q", "a", "b", "c", "d"]))
P, Q, A, B, C, D = range(2, 8)


class Letters:
    """Tokens 0 to 7 as in TEXTS."""

    eos_token_id = EOS

    def __len__(self):
        return len(TEXTS)

    def decode(self, ids, **_options):
        return "".join(TEXTS[token] for token in ids)


def run_of(blocks, drafts, span):
    """One step per block and draft; every block begins with masks, but for what the prompt holds of the first."""
    recorder = Recorder(Letters(), prompt=[[P, Q]], mask_token_id=MASK, output_span=span)
    for number, (block, own) in enumerate(zip(blocks, drafts, strict=True)):
        lead = span[0] if number == 0 else 0
        noised = [*block[:lead], *[MASK] * (len(block) - lead)]
        for draft in own:
            recorder.step(noised=noised, draft=draft)
        recorder.emit(block)
    return recorder.trace


@pytest.fixture
def trace():
    """Prompt p q; the block of 4 begins with both of its tokens; the answer is a b c."""
    return run_of([[P, Q, A, B], [C, EOS, EOS, D]], [[[P, Q, D, B], [P, Q, A, B]], [[C, EOS, EOS, D]]], (2, 7))


def test_the_output_is_what_was_generated(trace):
    assert trace.prompt_text() == "pq"
    assert trace.output_text() == "abc"
    assert trace.output_span == (2, 7)


def test_an_end_of_sequence_in_the_prompt_ends_nothing():
    trace = run_of([[P, EOS, A, B]], [[[P, EOS, A, B]]], (2, 4))
    assert trace.output_text() == "ab"
    np.testing.assert_array_equal(answer_positions(trace.canvas_run()), [False, False, True, True])
    case = RunCase(trace, {}, (None,)).samples[0]
    assert case.end is None
    assert case.answer.tolist() == [A, B]
    assert case.place(0) == (0, 2)


def test_tokens_beyond_what_was_asked_for_are_no_output():
    trace = run_of([[P, A, B, C]], [[[P, A, B, C]]], (1, 3))
    assert trace.output_text() == "ab"
    np.testing.assert_array_equal(trace.canvas_run().in_output, [False, True, True, False])


def test_without_a_span_everything_is_output():
    recorder = Recorder(Letters())
    recorder.step(noised=[A, A], draft=[A, B])
    recorder.emit([A, B])
    assert recorder.trace.output_span == (0, 2)
    assert recorder.trace.canvas_run().in_output.all()
    assert recorder.trace.output_text() == "ab"


def test_positions_of_the_answer(trace):
    first, second = (answer_positions(trace.canvas_run(canvas)) for canvas in range(2))
    np.testing.assert_array_equal(first, [False, False, True, True])
    np.testing.assert_array_equal(second, [True, True, False, False])


def test_what_each_step_would_have_answered(trace):
    assert draft_answers(trace) == ("db", "ab", "abc")


def test_a_wrong_token_is_found_where_it_stands(trace):
    judgement = judge(trace, "abd")
    assert np.argwhere(judgement.wrong).tolist() == [[1, 0]]
    assert not judgement.judged[0, :2].any()
    assert judge(trace, "abc").answer_right


def test_tokens_per_forward_counts_the_output(trace):
    """Three letters and the end; what the block holds behind it is no output."""
    assert tokens_per_forward(trace) == 4 / 3


def test_it_survives_both_file_formats(trace, tmp_path):
    trace.save(tmp_path / "run.safetensors")
    save_json_lines(trace, tmp_path / "run.jsonl")
    for again in (load_trace(tmp_path / "run.safetensors"), load_json_lines(tmp_path / "run.jsonl")):
        assert again.facts.output_span == (2, 7)
        assert again.facts.mask_token_id == MASK, "an id of 0 is an id"
        assert again.output_text() == "abc"


@pytest.mark.parametrize("span", [[3, 2], [-1, 2], [1], [0.5, 2], "12", {"begin": 0}])
def test_a_file_with_another_span_is_refused(span):
    with pytest.raises(TraceError, match="output_span"):
        RunFacts.from_json({"output_span": span})


def test_earlier_versions_are_not_told_of_a_span_that_is_not_there(trace):
    assert "output_span" not in replace(trace.facts, output_span=None).to_json()
