"""Canvases of different length, and steps that made no decision: what a step lacks is left out, by name."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.conformance import check_conformance
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace.schema import ARRAYS
from tests.conformance.conftest import UNSURE, place, record_batch
from tests.synthetic import undecided

CUT = 20


def last_steps(trace):
    return np.flatnonzero(np.append(trace.canvas[1:] != trace.canvas[:-1], True))


def shortened(trace, canvas, length):
    """The run as a runtime would have it that never made the canvas longer."""
    arrays = {name: getattr(trace, name).copy() for name in ARRAYS}
    steps = trace.canvas == canvas
    for name, spec in ARRAYS.items():
        nothing = {"i": -1, "f": np.nan, "b": False, "u": 255}[arrays[name].dtype.kind]
        if spec.axes.startswith("SBC"):
            arrays[name][np.ix_(steps, range(trace.n_samples), range(length, trace.canvas_length))] = nothing
        elif spec.axes == "NBC":
            arrays[name][canvas, :, length:] = nothing
    arrays["length"] = np.where(steps, length, trace.length)
    return replace(trace, **arrays)


@pytest.fixture(scope="module")
def all_steps(tiny):
    """Every canvas takes all its steps."""
    trace = record_batch(
        *tiny, ["long", "story"], seed=4, **UNSURE | {"max_denoising_steps": 5, "stability_threshold": None}
    )
    assert trace.n_canvases > 1
    return trace


@pytest.fixture(scope="module")
def at_the_limit(all_steps):
    """The last step of each canvas emits its argmax without a decision, as in mlx-vlm."""
    return undecided(all_steps, *last_steps(all_steps))


def test_whether_such_a_step_was_the_last_by_the_stop_rule_is_not_judged(all_steps, at_the_limit):
    """It is the last anyway, and nobody asked the rule."""
    sure = {"stability_threshold": 1, "confidence_threshold": 1e-3}
    settled = [
        changed(changed(trace, "draft", 4, trace.draft[3]), "entropy", 4, 1e-6) for trace in (all_steps, at_the_limit)
    ]
    decided, last_undecided = (check_conformance(trace, sure) for trace in settled)
    assert place(decided.first("stop-rule"))[:2] == (0, 4)
    assert "stop-rule" in last_undecided.passed


def test_steps_without_a_decision_are_left_out_by_name(at_the_limit):
    report = check_conformance(at_the_limit)
    assert report.ok, str(report)
    assert {"accepted-set", "candidates-drawn", "accepted-kept", "emitted-is-last-draft"} <= {*report.passed}
    text = " ".join(str(report).split())
    assert "No decision was made in step 4 of canvas 0, step 4 of canvas 1" in text
    left_out = text.split("so these rules leave them out: ")[1].split(".")[0].split(", ")
    assert set(left_out) == {
        "candidate-probability", "candidates-drawn", "accepted-set", "accepted-kept", "re-noised-random"
    }  # fmt: skip


def test_what_such_a_step_does_say_is_still_judged(at_the_limit):
    other = (int(at_the_limit.emitted[0, 0, 2]) + 1) % 90
    broken = check_conformance(changed(at_the_limit, "emitted", (0, 0, 2), other))
    assert place(broken.first("emitted-is-last-draft")) == (0, None, 0, 2)
    broken = check_conformance(changed(at_the_limit, "entropy", (4, 0, 7), np.nan))
    assert place(broken.first("numbers-finite")) == (0, 4, 0, 7)


def changed(trace, name, where, value):
    array = getattr(trace, name).copy()
    array[where] = value
    return replace(trace, **{name: array})


@pytest.mark.parametrize("undecided_too", [False, True])
def test_a_shorter_last_canvas(tiny, undecided_too):
    """Each position is judged by what it holds, and what lies beyond the canvas is not."""
    trace = record_batch(*tiny, ["long"], seed=4, max_denoising_steps=6, stability_threshold=None)
    short = shortened(trace, trace.n_canvases - 1, CUT)
    assert short.is_ragged
    if undecided_too:
        short = undecided(short, *last_steps(short))
    broken = {one.rule for one in check_conformance(short).violations}
    assert broken <= {"accepted-set"}, "a set that was chosen from more positions is another one"
    damaged = changed(short, "entropy", (short.n_steps - 1, 0, CUT - 1), np.nan)
    violation = check_conformance(damaged).first("numbers-finite")
    assert (violation.canvas, violation.position) == (short.n_canvases - 1, CUT - 1)


def test_mask_tokens_in_canvases_of_different_length():
    model = dv.load_tiny("masked")
    prompt = TASKS["sudoku"].example_prompts[1]
    trace = run(*model, prompt, "llada2", {"threshold": 1.0, "max_denoising_steps": 8})
    assert trace.n_canvases > 1
    assert check_conformance(trace).ok
    longest = int(np.argmax(np.bincount(trace.canvas)))
    short = shortened(trace, longest, trace.canvas_length - 8)
    report = check_conformance(replace(short, facts=replace(short.facts, output_span=None)))
    assert {one.rule for one in report.violations} <= {"unmasked-as-many", "commits-above-threshold"}
    assert {"unmasked-stay", "undecided-masked", "emitted-is-last-canvas"} <= {*report.passed}


def test_a_damage_is_named_in_a_short_canvas(at_the_limit):
    canvas = at_the_limit.n_canvases - 1
    short = shortened(at_the_limit, canvas, CUT)
    of_canvas = (short.canvas == canvas)[:, None, None] & short.active[..., None] & short.accepted
    step, sample, kept = np.argwhere(of_canvas[:-1])[0].tolist()
    other = (short.candidate[step, sample, kept] + 1) % 90
    broken = changed(short, "noised", (step + 1, sample, kept), other)
    assert place(check_conformance(broken).first("accepted-kept")) == (
        canvas, int(short.step_in_canvas[step]), sample, kept
    )  # fmt: skip
