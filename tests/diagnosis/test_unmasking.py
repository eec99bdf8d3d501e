"""What loops of mask-token models unmask for no reason, and passes behind the end of the answer."""

import numpy as np
import pytest

import dgemma_viz as dv
from benchmarks.diagnosis import MASKED_TASKS
from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis import Severity, diagnose
from dgemma_viz.labs.sabotage.mask_loop import LOOP_FAULTS, LoopSettings, run_mask_loop
from dgemma_viz.tiny.tasks import TASKS

MASK, END = 9, 1


def by_start(rng, sure, masked, first):
    return np.arange(len(sure)) == 0 if first else by_confidence(rng, sure, masked, first)


def by_confidence(_rng, sure, masked, _first):
    return np.arange(len(sure)) == np.argmax(np.where(masked, sure, -1))


def from_the_left(_rng, sure, masked, _first):
    return np.arange(len(sure)) == np.argmax(masked)


def at_random(rng, sure, masked, _first):
    return np.arange(len(sure)) == rng.choice(np.flatnonzero(masked))


def loop(choose, *, blocks=4, length=8, one_canvas=False, seed=0):
    """Steps of one position each, with confidences that are drawn."""
    rng = np.random.default_rng(seed)
    recorder = dv.Recorder(mask_token_id=MASK, vocab_size=20, settings={"block_length": length})
    answer = np.full(blocks * length, MASK)
    for begin in range(0, len(answer), length):
        block = slice(begin, begin + length)
        for step in range(length):
            before, sure = answer.copy(), rng.uniform(0.2, 1.0, len(answer))
            answer[block][choose(rng, sure[block], before[block] == MASK, step == 0)] = 5
            shown = slice(None) if one_canvas else block
            accepted, tokens = answer != before, np.full(len(answer), 5)
            recorder.step(
                noised=before[shown], candidate=tokens[shown], accepted=accepted[shown], confidence=sure[shown]
            )
        if not one_canvas:
            recorder.emit(answer[block])
    if one_canvas:
        recorder.emit(answer)
    return recorder.trace


def starts(trace):
    diagnosis = diagnose(trace)
    return [one for one in diagnosis if one.rule == "block-start-first"], dict(diagnosis.not_applied)


@pytest.mark.parametrize("one_canvas", [False, True])
def test_blocks_that_always_begin_at_their_start(one_canvas):
    (found,), _ = starts(loop(by_start, one_canvas=one_canvas))
    assert found.severity == Severity.WARNING
    assert found.evidence["blocks"] == 4
    assert found.evidence["by_chance"] == pytest.approx(8**-4)
    assert found.step == found.canvas * 0 if not one_canvas else found.step % 8 == 0


@pytest.mark.parametrize("choose", [by_confidence, from_the_left, at_random])
def test_other_orders_are_silent(choose):
    for seed in range(20):
        found, reasons = starts(loop(choose, seed=seed))
        assert not found
        assert "block-start-first" not in reasons


@pytest.mark.parametrize("shape", [{"blocks": 2}, {"blocks": 3, "length": 2}])
def test_few_or_short_blocks_have_not_passed(shape):
    found, reasons = starts(loop(by_start, **shape))
    assert not found
    assert "to tell a habit from chance" in reasons["block-start-first"]


@pytest.fixture(scope="module")
def masked():
    return dv.load_tiny("masked")


def behind(trace):
    return [one for one in diagnose(trace) if one.rule == "work-behind-the-end"]


def test_blocks_behind_the_end(masked):
    prompt = TASKS["sort"].example_prompts[1]
    healthy, broken = (run_mask_loop(*masked, prompt, fault=fault) for fault in ("", "works-behind-end"))
    assert not behind(healthy)
    (found,) = behind(broken)
    assert broken.output_text() == healthy.output_text()
    assert found.severity == Severity.WARNING
    assert found.canvas == healthy.n_canvases
    assert found.evidence["in_later_blocks"] == broken.n_steps - healthy.n_steps


def test_one_block_that_goes_on_behind_the_end():
    """The end stands after the second of eight passes; the rest fills what is behind it."""
    recorder = dv.Recorder(mask_token_id=MASK, vocab_size=20, eos_token_ids=(END,), pad_token_id=0)
    answer = np.full(8, MASK)
    for position in (1, 0, 2, 3, 4, 5, 6, 7):
        before = answer.copy()
        answer[position] = 5 if position == 0 else END
        recorder.step(noised=before, candidate=np.where(np.arange(8) == 0, 5, END))
    recorder.emit(answer)
    (found,) = behind(recorder.trace)
    assert found.evidence == {"passes": 6, "share": 0.75, "in_later_blocks": 0}
    assert (found.step, found.severity) == (2, Severity.WARNING)


def test_a_sample_that_goes_on_needs_its_passes(masked):
    """A batch is worked on until the last one has ended."""
    prompts = [TASKS[task].example_prompts[1] for task in ("addition", "sudoku")]
    assert not behind(run_mask_loop(*masked, prompts))


@pytest.mark.parametrize("task", MASKED_TASKS)
def test_healthy_loops_break_no_rule(masked, task):
    for temperature, length in ((0.0, 8), (1.5, 4)):
        settings = LoopSettings(temperature=temperature, block_length=length)
        report = check_conformance(run_mask_loop(*masked, list(TASKS[task].example_prompts), settings))
        assert report.ok, str(report)


def test_an_unknown_fault_is_refused(masked):
    with pytest.raises(dv.errors.SettingError, match="block-start-first"):
        run_mask_loop(*masked, "sort 1=", fault="none of them")
    assert all(fault.source and fault.description.endswith(".") for fault in LOOP_FAULTS.values())
