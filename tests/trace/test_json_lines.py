"""JSON lines: what a runtime logs becomes a trace, what it does not log is marked, and what is wrong names its line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.conformance import check_conformance
from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace import (
    checked_line,
    load_json_lines,
    load_trace,
    logged_layout,
    logged_lines,
    save_json_lines,
    schema,
)
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.json_lines import is_json_lines
from dgemma_viz.trace.model import INACTIVE_ROWS, UNKNOWN_TOKEN, RunFacts
from dgemma_viz.trace.schema import ARRAYS
from tests.conformance.conftest import UNSURE, record_batch
from tests.synthetic import NASTY_TEXTS, synthetic_trace

HEADER = {
    "format": "dgemma_viz.lines",
    "version": 1,
    "facts": {
        "vocab_size": 50,
        "eos_token_ids": [1],
        "pad_token_id": 0,
        "settings": {"max_denoising_steps": 4, "stability_threshold": 1, "confidence_threshold": 0.5},
    },
}
STEP0 = {"canvas": 0, "step": 0, "draft": [5, 6, 1, 1]}
STEP1 = {"canvas": 0, "step": 1, "draft": [5, 7, 1, 1]}
STEP2 = {"canvas": 0, "step": 2, "draft": [5, 7, 1, 1]}
EMITTED = {"canvas": 0, "emitted": [5, 7, 1, 0]}
LEAST = [HEADER, STEP0, STEP1, STEP2, EMITTED]


def written(path, lines):
    path = path / "run.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def assert_equal(first, second, but=()):
    for name, spec in ARRAYS.items():
        if name not in but:
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
            assert getattr(second, name).dtype == spec.dtype
    assert first.facts == second.facts
    assert first.token_texts == second.token_texts


@pytest.fixture(scope="module")
def recorded():
    return record_batch(*dv.load_tiny(), ["story", "addition", "long"], seed=17, **UNSURE)


def test_a_real_run_comes_back_equal(recorded, tmp_path):
    path = tmp_path / "run.jsonl"
    save_json_lines(recorded, path)
    assert_equal(recorded, load_trace(path))
    assert check_conformance(load_trace(path)).ok


@settings(max_examples=20)
@given(canvases=st.integers(1, 3), samples=st.integers(1, 3), length=st.integers(1, 4), seed=st.integers(0, 50))
def test_any_run_comes_back_equal(tmp_path_factory, canvases, samples, length, seed):
    trace = synthetic_trace(canvases=canvases, samples=samples, length=length, steps=4, seed=seed, texts=NASTY_TEXTS)
    path = tmp_path_factory.mktemp("lines") / "run.jsonl"
    save_json_lines(trace, path)
    back = load_json_lines(path)
    np.testing.assert_allclose(back.mean_entropy, trace.mean_entropy, atol=1e-5)
    np.testing.assert_allclose(back.entropy_spent, trace.entropy_spent, atol=1e-5)
    np.testing.assert_array_equal(back.prompt[back.prompt_mask], trace.prompt[trace.prompt_mask])
    assert_equal(trace, back, but=("mean_entropy", "entropy_spent", "prompt"))


def test_numbers_that_are_not_finite_come_back(tmp_path):
    trace = synthetic_trace(length=3, steps=2)
    entropy = trace.entropy.copy()
    entropy[0, 0] = [np.nan, np.inf, -np.inf]
    save_json_lines(replace(trace, entropy=entropy, temperature=np.full(2, np.nan)), tmp_path / "run.jsonl")
    back = load_trace(tmp_path / "run.jsonl")
    np.testing.assert_array_equal(back.entropy, entropy)
    assert np.isnan(back.temperature).all()


def test_the_least_that_makes_a_trace(tmp_path):
    trace = load_trace(written(tmp_path, LEAST))
    assert trace.facts.status == "complete"
    np.testing.assert_array_equal(trace.draft[:, 0], [[5, 6, 1, 1], [5, 7, 1, 1], [5, 7, 1, 1]])
    np.testing.assert_array_equal(trace.stable_steps[:, 0], [0, 0, 1])
    np.testing.assert_array_equal(trace.finished[:, 0], [False, False, True])
    assert trace.active.all()
    assert trace.output_text() == "⟨5⟩⟨7⟩"
    absent = set(trace.facts.absent)
    assert absent == {*schema.MAY_LACK, "entropy_spent", "mean_entropy"}
    for name in absent:
        values = getattr(trace, name)
        nothing = {"i": values == UNKNOWN_TOKEN, "f": np.isnan(values), "b": np.isin(values, [True, False])}
        assert nothing[values.dtype.kind].all(), name
    report = check_conformance(trace)
    assert report.passed == ("canvas-not-padding", "step-limit", "emitted-is-last-draft", "padding-after-end")
    assert report.ok
    assert len(report.not_checked) == 17


def test_what_is_absent_survives_a_safetensors_file(tmp_path):
    trace = load_trace(written(tmp_path, LEAST))
    trace.save(tmp_path / "run.safetensors")
    assert_equal(trace, load_trace(tmp_path / "run.safetensors"))
    save_json_lines(trace, tmp_path / "again.jsonl")
    assert_equal(trace, load_trace(tmp_path / "again.jsonl"))


def test_every_key_unlocks_rules(recorded, tmp_path):
    """With all keys everything is checked; each one taken away is missed."""
    path = tmp_path / "run.jsonl"
    save_json_lines(recorded, path)
    head, *lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    full = len(check_conformance(recorded).not_checked)
    for name in ("noised", "candidate", "accepted", "entropy", "confidence", "temperature", "finished"):
        fewer = [{key: value for key, value in line.items() if key != name} for line in lines]
        report = check_conformance(load_trace(written(tmp_path, [head, *fewer])))
        assert not report.violations, str(report)
        assert len(report.not_checked) > full, name


def test_finished_samples_need_not_be_logged(recorded, tmp_path):
    path = tmp_path / "run.jsonl"
    save_json_lines(recorded, path)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    trace = load_trace(written(tmp_path, [line for line in lines if line.get("active", True)]))
    assert trace.facts.absent == (INACTIVE_ROWS,)
    for canvas in range(recorded.n_canvases):
        for sample in range(recorded.n_samples):
            one, other = recorded.canvas_run(canvas, sample), trace.canvas_run(canvas, sample)
            for name in ("noised", "draft", "entropy", "finished"):
                np.testing.assert_array_equal(one.array(name), other.array(name))
    reasons = dict(check_conformance(trace).not_checked)
    assert "not logged" in reasons["finished-rows-frozen"]
    assert not check_conformance(trace).violations


def test_a_sample_that_ended_needs_no_line_at_all(tmp_path):
    other = [{**line, "sample": 1, "draft": [8, 8, 8, 8]} for line in (STEP0, STEP1)]
    second = [{"canvas": 1, "step": step, "sample": 1, "draft": [9, 1, 1, 1]} for step in (0, 1)]
    emitted = [EMITTED, {"sample": 1, "emitted": [8, 8, 8, 8]}, {"canvas": 1, "sample": 1, "emitted": [9, 1, 0, 0]}]
    trace = load_trace(written(tmp_path, [*LEAST[:4], *other, *second, *emitted]))
    np.testing.assert_array_equal(trace.past_end, [[False, False], [True, False]])
    np.testing.assert_array_equal(trace.emitted[1, 0], [0, 0, 0, 0])
    assert trace.canvas_run(1, 0).n_steps == 0
    assert not trace.active[3:, 0].any()
    assert check_conformance(trace).ok, str(check_conformance(trace))


def test_a_canvas_at_its_step_limit_may_or_may_not_have_finished(tmp_path):
    step3 = {"step": 3, "draft": [5, 7, 1, 1]}
    entropies = [{**line, "entropy": [0.9] * 4} for line in (*LEAST[1:4], step3)]
    trace = load_trace(written(tmp_path, [HEADER, *entropies, EMITTED]))
    assert not trace.finished.any()
    assert "stop-rule" in check_conformance(trace).passed
    early = load_trace(written(tmp_path, [HEADER, *entropies[:2], EMITTED]))
    violation = check_conformance(early).first("stop-rule")
    assert (violation.step, violation.found) == (1, "stopped")


def test_a_run_that_was_cut_off(tmp_path):
    trace = load_trace(written(tmp_path, LEAST[:-1]))
    assert trace.facts.status == "interrupted"
    assert len(trace.emitted) == 0
    assert not trace.finished.any()
    assert "stop-rule" not in {violation.rule for violation in check_conformance(trace).violations}
    header = {**HEADER, "facts": {**HEADER["facts"], "status": "failed", "error": "out of memory"}}
    assert load_trace(written(tmp_path, [header, *LEAST[1:-1]])).facts.status == "failed"


def test_null_is_no_number(tmp_path):
    lines = [{**line, "entropy": [0.1, None, 0.3, 0.4], "temperature": None} for line in LEAST[1:4]]
    trace = load_trace(written(tmp_path, [HEADER, *lines, EMITTED]))
    assert np.isnan(trace.entropy[:, 0, 1]).all()
    assert np.isnan(trace.temperature).all()
    assert check_conformance(trace).first("numbers-finite").position == 1


def test_prompts_of_different_length_are_padded_on_the_left(tmp_path):
    header = {**HEADER, "prompt": [[7, 8], [9]]}
    lines = [*LEAST[1:], *({**line, "sample": 1} for line in LEAST[1:])]
    trace = load_trace(written(tmp_path, [header, *lines]))
    np.testing.assert_array_equal(trace.prompt, [[7, 8], [0, 9]])
    np.testing.assert_array_equal(trace.prompt_mask, [[True, True], [False, True]])


def test_json_lines_are_told_from_safetensors_by_content(recorded, tmp_path):
    recorded.save(tmp_path / "named.jsonl")
    save_json_lines(recorded, tmp_path / "named.safetensors")
    assert not is_json_lines(tmp_path / "named.jsonl")
    assert is_json_lines(tmp_path / "named.safetensors")
    assert_equal(recorded, load_trace(tmp_path / "named.jsonl"))
    assert_equal(recorded, load_trace(tmp_path / "named.safetensors"))
    (tmp_path / "brace").write_bytes(b"{\x01\x00\x00\x00\x00\x00\x00" + b"{}")
    assert not is_json_lines(tmp_path / "brace"), "a header whose length begins with the byte of a brace"
    (tmp_path / "bom.jsonl").write_bytes(b"\xef\xbb\xbf" + written(tmp_path, LEAST).read_bytes())
    assert load_trace(tmp_path / "bom.jsonl").n_steps == 3


def without(line, key):
    return {name: value for name, value in line.items() if name != key}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1 is not JSON"),
        (["{" + '"a":' * 50_000], "line 1 is not JSON"),
        ([HEADER, '{"draft": ' + "[" * 100_000], "line 2 is not JSON"),
        ([HEADER, '{"draft": [1' + "0" * 5000 + "]}"], "line 2"),
        ([HEADER, "[1]"], "line 2 is not a JSON object"),
        ([STEP0], 'line 1 is not the header of a trace: it lacks "format"'),
        ([{**HEADER, "version": 5}], '"version": 5; this dgemma_viz reads 1 to 4 (a newer one: update it'),
        ([{**HEADER, "extra": 2}], "line 1 has unknown keys 'extra'"),
        ([{**HEADER, "facts": []}], "line 1: run facts must be a JSON object"),
        ([{**HEADER, "facts": {"surprise": 1}}], "line 1: unknown run facts"),
        ([{**HEADER, "token_texts": {"-1": "a"}}], "'token_texts' must be"),
        ([{**HEADER, "token_texts": {"1": 5}}], "'token_texts' must be"),
        ([{**HEADER, "token_texts": {"9" * 5000: "a"}}], "'token_texts' must be"),
        ([{**HEADER, "prompt": 5}], "'prompt' must be"),
        ([{**HEADER, "prompt": [[50]]}], "'prompt' must be a list of token ids from 0 to 49"),
        ([{**HEADER, "prompt": [[1], [2]]}, *LEAST[1:]], "2 prompts, but the log 1 sample"),
        ([HEADER], "no line of a denoising step"),
        ([HEADER, {"step": 0}], "line 2 has neither 'draft' nor 'emitted'"),
        ([HEADER, {**STEP0, "entropys": [1]}], "line 2 has unknown keys 'entropys'"),
        ([HEADER, {**STEP0, "draft": "5671"}], "line 2: 'draft' must be a list of token ids from 0 to 49"),
        ([HEADER, {**STEP0, "draft": [5, 6, True, 1]}], "'draft' must be a list of token ids"),
        ([HEADER, {**STEP0, "draft": [5, 6, 50, 1]}], "'draft' must be a list of token ids"),
        ([HEADER, {**STEP0, "draft": [5, -1, 3, 1]}], "'draft' must be a list of token ids"),
        ([HEADER, {**STEP0, "draft": [[5], [6], [1], [1]]}], "'draft' must be a list of token ids"),
        ([HEADER, {**STEP0, "noised": [5, 6]}], "line 2: 'noised' has 2 positions, but 'draft' has 4"),
        ([HEADER, {**STEP0, "entropy": [1, 2, "3", 4]}], "'entropy' must be a list of numbers"),
        ([HEADER, {**STEP0, "entropy": [10**400, 0, 0, 0]}], "'entropy' must be within the range"),
        ([HEADER, {**STEP0, "confidence": [0.1, 1.1, 0, 0]}], "'confidence' must be from 0 to 1"),
        ([HEADER, {**STEP0, "accepted": [0, 1, 2, 0]}], "'accepted' must be a list of true and false"),
        ([HEADER, {**STEP0, "accepted": [0, 1, 0.0, 0]}], "'accepted' must be a list of true and false"),
        ([HEADER, {**STEP0, "finished": 1}], "'finished' must be true or false"),
        ([HEADER, {**STEP0, "temperature": "hot"}], "'temperature' must be a number, or null"),
        ([HEADER, {**STEP0, "step": -1}], "'step' must be a whole number from 0"),
        ([HEADER, {**STEP0, "sample": 0.5}], "'sample' must be a whole number from 0"),
        ([HEADER, {**STEP0, "top_k_ids": [[1]] * 4}], "belong together"),
        (
            [HEADER, {**STEP0, "top_k_ids": [[1], [2, 3], [1], [1]], "top_k_probabilities": [[1]] * 4}],
            "'top_k_ids' must be of the same number",
        ),
        (
            [HEADER, {**STEP0, "top_k_ids": [[1, 2]] * 4, "top_k_probabilities": [[1]] * 4}],
            "differ in shape",
        ),
        ([HEADER, {**STEP0, "top_k_ids": [1] * 4, "top_k_probabilities": [[1]] * 4}], "a list for each position"),
        ([*LEAST, STEP1], "lines 3 and 6 are both canvas 0, step 1, sample 0"),
        ([HEADER, STEP0, STEP2, EMITTED], "no line of canvas 0, step 1, sample 0, but of the step after"),
        ([HEADER, {**STEP0, "canvas": 10**9}], "no line of canvas 0, but one of canvas 1000000000"),
        ([HEADER, STEP0, {**STEP0, "sample": 10**9}], "no line of sample 1, but one of sample 1000000000"),
        ([*LEAST, {**STEP0, "canvas": 1, "sample": 1}], "every sample begins there"),
        (
            [HEADER, STEP0, {**STEP1, "draft": [1, 2]}],
            "line 3: 'draft' has 2 positions, but 4 in line 2 of the same canvas: a position must keep",
        ),
        ([HEADER, STEP0, {**STEP1, "entropy": [0, 0, 0, 0]}], "line 2 lacks 'entropy', which line 3 has"),
        ([*LEAST[:4], {**EMITTED, "canvas": 1}], "emits canvas 1, of which no step"),
        ([*LEAST[:4], {**EMITTED, "sample": 1}], "emits sample 1, of which no step"),
        (
            [*LEAST[:4], {**EMITTED, "emitted": [5]}],
            "line 5: 'emitted' has 1 token, but its canvas has 4, and neither",
        ),
        ([*LEAST[:4], {**EMITTED, "emitted": [5, 7, 1, 0, 0]}], "'emitted' has 5 tokens, but its canvas has 4"),
        ([*LEAST[:4], {**EMITTED, "draft": [5, 7, 1, 0]}], "unknown keys 'draft'"),
        ([*LEAST, EMITTED], "lines 5 and 6 emit the same canvas"),
        ([*LEAST, {**STEP0, "sample": 1}], "no emitted line of canvas 0, sample 1"),
        ([HEADER, {**STEP0, "decision": [0, 1, 2, 5]}], "'decision'"),
        ([HEADER, {**STEP0, "phase": 3}], "'phase' must be a code from 0 to 2"),
        (
            [HEADER, {**STEP0, "temperature": 1}, {**STEP0, "sample": 1, "temperature": 2}],
            "'temperature' is 2, but 1 for another sample in the same step",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_mistakes_name_their_line(tmp_path, lines, message):
    with pytest.raises(TraceFileError) as caught:
        load_trace(written(tmp_path, lines))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600


def test_decisions_and_phases_come_back(tmp_path):
    trace = synthetic_trace(samples=2, length=6, steps=4)
    decision = np.where(trace.accepted, Decision.KEPT, Decision.NOISE)
    trace = replace(trace, decision=decision, phase=[0, 1, 0, 2], facts=replace(trace.facts, mask_token_id=3))
    save_json_lines(trace, tmp_path / "run.jsonl")
    again = load_trace(tmp_path / "run.jsonl")
    np.testing.assert_array_equal(again.decision, trace.decision)
    np.testing.assert_array_equal(again.accepted, trace.accepted)
    np.testing.assert_array_equal(again.phase, trace.phase)
    assert again.facts == trace.facts


def test_decisions_say_what_was_accepted(tmp_path):
    lines = [{key: value for key, value in line.items() if key != "accepted"} for line in LEAST]
    lines = [line | ({"decision": [0, 1, 2, 3]} if "draft" in line else {}) for line in lines]
    trace = load_trace(written(tmp_path, lines))
    assert trace.accepted[0, 0].tolist() == [False, True, True, True]
    assert not {"accepted", "decision"} & {*trace.facts.absent}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{\xff\xfe}", b"{}\n\xff"])
def test_not_lines_at_all(tmp_path, content):
    (tmp_path / "run.jsonl").write_bytes(content)
    with pytest.raises(TraceFileError):
        load_trace(tmp_path / "run.jsonl")
    with pytest.raises(TraceFileError):
        load_json_lines(tmp_path / "run.jsonl")


def test_a_missing_file(tmp_path):
    with pytest.raises(TraceFileError, match="cannot read"):
        load_json_lines(tmp_path / "nothing.jsonl")


def test_sizes_are_limited(tmp_path, monkeypatch):
    path = written(tmp_path, LEAST)
    monkeypatch.setattr(logged_layout, "MOST_CELLS", 11)
    with pytest.raises(TraceFileError, match="more than 11 values of one kind"):
        load_trace(path)
    monkeypatch.setattr(logged_lines, "LONGEST_LINE", 100)
    with pytest.raises(TraceFileError, match="line 1 is longer than 100 bytes"):
        load_trace(path)
    monkeypatch.setattr(logged_lines, "LARGEST_FILE", 100)
    with pytest.raises(TraceFileError, match="larger than 100 bytes"):
        load_trace(path)


def test_many_samples_and_many_steps_do_not_multiply(tmp_path, monkeypatch):
    """One sample with many steps beside many samples of one step: small as a file, large as a trace."""
    monkeypatch.setattr(logged_layout, "MOST_CELLS", 10_000)
    lines = [{"step": step, "draft": [1]} for step in range(200)] + [{"sample": s, "draft": [1]} for s in range(1, 200)]
    with pytest.raises(TraceFileError, match="split the log by request"):
        load_trace(written(tmp_path, [HEADER, *lines]))


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_lines_are_refused_or_read(tmp_path_factory, data):
    """Any value in any place of any line: a trace, or an error of ours."""
    lines = [dict(line) for line in LEAST]
    line = lines[data.draw(st.integers(0, len(lines) - 1))]
    junk = st.recursive(
        st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )
    key = data.draw(st.sampled_from([*line, "entropy", "accepted", "top_k_ids", "sample", "past_end"]))
    line[key] = data.draw(junk)
    path = written(tmp_path_factory.mktemp("junk"), lines)
    try:
        trace = load_trace(path)
    except TraceFileError:
        return
    assert check_conformance(trace) is not None


def test_absent_facts_are_checked():
    with pytest.raises(TraceError, match="names \\['surprise'\\]"):
        RunFacts.from_json({"absent": ["surprise"]})
    with pytest.raises(TraceError, match="'absent' is not list of str"):
        RunFacts.from_json({"absent": [1]})
    assert "absent" not in RunFacts().to_json(), "earlier versions refuse facts that they do not know"
    trace = synthetic_trace()
    with pytest.raises(TraceError, match="'noised' is said to be absent, but holds token ids"):
        replace(trace, facts=replace(trace.facts, absent=("noised",)))


def test_probabilities_of_lines_are_those_of_the_trace():
    assert {name for name in ARRAYS if "probabilit" in name} <= set(checked_line.PROBABILITIES)
