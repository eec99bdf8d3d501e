"""Saving and loading: equal after a round trip, small, whole or not at all, and clear about a bad file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace import ARRAYS, Decision, Phase, Trace, load_trace, save_trace
from dgemma_viz.trace.file import FORMAT
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.schema import SCHEMA_VERSION, TOKEN_ARRAYS
from tests.synthetic import synthetic_trace


def assert_equal(first: Trace, second: Trace) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert first.facts == second.facts
    assert dict(first.token_texts) == dict(second.token_texts)


def rewrite(path, *, arrays=None, metadata=None, drop=()):
    """Read a saved trace with the safetensors library alone, change something, write it back."""
    with safe_open(path, framework="numpy") as file:
        stored = {name: file.get_tensor(name) for name in file.keys() if name not in drop}  # noqa: SIM118
        facts = dict(file.metadata())
    stored.update(arrays or {})
    facts.update(metadata or {})
    save_file(stored, path, metadata=facts)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.safetensors"
    synthetic_trace(canvases=2, samples=2, length=6).save(path)
    return path


@given(canvases=st.integers(1, 3), samples=st.integers(1, 3), length=st.integers(1, 9), seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_saved_trace_loads_equal(tmp_path_factory, canvases, samples, length, seed):
    path = tmp_path_factory.mktemp("traces") / "run.safetensors"
    trace = synthetic_trace(canvases=canvases, samples=samples, length=length, seed=seed)
    save_trace(trace, path)
    assert_equal(load_trace(path), trace)


def test_generator_state_and_facts_survive(tmp_path):
    trace = synthetic_trace()
    values = {name: getattr(trace, name) for name in ARRAYS}
    facts = replace(
        trace.facts,
        eos_token_ids=(1,),
        notices=(Notice(NoticeCode.STALE_SAMPLER, "stale sampler"), Notice("of-a-newer-version", "")),
        status="interrupted",
        task={"name": "sudoku", "reference": "1 2"},
    )
    state = np.arange(256, dtype=np.uint8)
    path = tmp_path / "run.safetensors"
    Trace(**values, facts=facts, token_texts=trace.token_texts, generator_state=state).save(path)
    loaded = load_trace(path)
    assert loaded.facts == facts
    np.testing.assert_array_equal(loaded.generator_state, state)


def test_vocabulary_above_sixteen_bits(tmp_path):
    trace = synthetic_trace(length=4)
    values = {name: getattr(trace, name) for name in ARRAYS}
    wide = np.arange(80_000, dtype=np.int32).reshape(1, -1)
    values |= {"prompt": wide, "prompt_mask": np.ones_like(wide, dtype=bool)}
    facts = replace(trace.facts, vocab_size=262_144)
    path = tmp_path / "run.safetensors"
    wide_trace = Trace(**values, facts=facts, token_texts=trace.token_texts)
    wide_trace.save(path)
    assert_equal(load_trace(path), wide_trace)


def test_the_released_size_stays_under_a_megabyte(tmp_path):
    """One canvas of 256 tokens over 48 steps, top-8, noise from 262,144 tokens: the bound that design.md states."""
    trace = synthetic_trace(length=256, steps=48)
    generator = np.random.default_rng(0)
    values = {name: getattr(trace, name) for name in ARRAYS}
    values |= {name: generator.integers(0, 262_144, values[name].shape) for name in ("noised", "top_k_ids")}
    values["top_k_ids"] = generator.integers(0, 262_144, (*values["noised"].shape, 8)) % 4_000
    values["top_k_probabilities"] = np.full(values["top_k_ids"].shape, 0.1)
    facts = replace(trace.facts, vocab_size=262_144)
    texts = {int(i): f" word{i}" for i in np.unique(values["noised"])}
    path = tmp_path / "run.safetensors"
    Trace(**values, facts=facts, token_texts=texts).save(path)
    assert trace.n_steps == 48
    assert path.stat().st_size < 1_000_000


def test_no_folder_to_save_in(tmp_path):
    with pytest.raises(TraceFileError, match="cannot write"):
        synthetic_trace().save(tmp_path / "missing" / "run.safetensors")


def test_missing_file(tmp_path):
    with pytest.raises(TraceFileError, match="there is no trace file"):
        load_trace(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 50, 0.5, 0.999])
def test_truncated_file(saved, kept):
    blob = saved.read_bytes()
    saved.write_bytes(blob[: kept if isinstance(kept, int) else int(len(blob) * kept)])
    with pytest.raises(TraceFileError, match="truncated or not a safetensors file"):
        load_trace(saved)


def test_foreign_files(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("hello, this is not a trace at all")
    with pytest.raises(TraceFileError, match=r"text that begins with 'hello.*Known are .*safetensors"):
        load_trace(text)
    weights = tmp_path / "weights.safetensors"
    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, weights)
    with pytest.raises(TraceFileError, match="not a dgemma_viz trace"):
        load_trace(weights)


def test_decisions_phases_and_the_mask_token_survive(tmp_path):
    trace = synthetic_trace(length=6, steps=4)
    decision = np.where(trace.accepted, Decision.EDITED, Decision.NOISE)
    phase = [Phase.DENOISE, Phase.CORRECT, Phase.DENOISE, Phase.EDIT]
    masked = replace(trace, decision=decision, phase=phase, facts=replace(trace.facts, mask_token_id=4))
    masked.save(tmp_path / "run.safetensors")
    assert_equal(load_trace(tmp_path / "run.safetensors"), masked)


def test_a_file_of_the_first_schema_opens(saved):
    trace = load_trace(saved)
    rewrite(saved, drop=("decision", "phase"), metadata={"schema_version": "1"})
    assert_equal(load_trace(saved), trace)


@pytest.mark.parametrize(
    ("version", "message"),
    [(str(SCHEMA_VERSION + 1), "newer"), ("0", "never existed"), ("one", "no readable schema version")],
)
def test_schema_versions(saved, version, message):
    rewrite(saved, metadata={"schema_version": version})
    with pytest.raises(TraceFileError, match=message):
        load_trace(saved)


@pytest.mark.parametrize(
    "facts",
    [
        "not json",
        "[]",
        '{"surprise": 1}',
        "null",
        "[" * 100_000,
        '{"settings": 5}',
        '{"warnings": ["of an earlier version"]}',
        '{"notices": ["no code"]}',
        '{"notices": [{"code": "no-text"}]}',
        '{"notices": [{"text": "a", "code": 1}]}',
        '{"notices": [{"text": "a", "more": "b"}]}',
        '{"error": {}}',
    ],
)
def test_unreadable_facts(saved, facts):
    rewrite(saved, metadata={"facts": facts})
    with pytest.raises(TraceFileError, match="run facts"):
        load_trace(saved)


def test_missing_and_foreign_arrays(saved):
    rewrite(saved, drop=("entropy",))
    with pytest.raises(TraceFileError, match=r"lacks the arrays \['entropy'\]"):
        load_trace(saved)
    rewrite(saved, arrays={"entropy": np.zeros(1, np.float32), "payload": np.zeros(3)})
    with pytest.raises(TraceFileError, match="not part of a trace"):
        load_trace(saved)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("entropy", lambda a: a[:-1], "'entropy' has|has S="),
        ("entropy", lambda a: a.astype(np.float64), "'entropy' is F64"),
        ("entropy", lambda a: a[..., None], "'entropy' has 4 axes"),
        ("canvas", lambda a: a[::-1], "'canvas' must start at 0"),
        ("step_in_canvas", lambda a: a + 1, "'step_in_canvas' must count up"),
        ("confidence", lambda a: a + 2, "'confidence' is a probability"),
        ("draft", lambda a: np.full_like(a, 60_000), "points outside 'vocabulary'"),
        ("vocabulary", lambda a: a[::-1], "not strictly ascending"),
        ("vocabulary", lambda a: a + 10_000_000, "outside the vocabulary of"),
        ("token_texts", lambda a: a[:-1], "does not end where it should"),
        ("token_texts", lambda _: np.frombuffer(b"[1]", np.uint8), "one entry per token|not text"),
        ("token_texts", lambda _: np.frombuffer(b"[" * 100_000, np.uint8), "not UTF-8 JSON"),
    ],
)
def test_inconsistent_arrays(saved, name, change, message):
    with safe_open(saved, framework="numpy") as file:
        array = np.ascontiguousarray(change(file.get_tensor(name)))
    rewrite(saved, arrays={name: array})
    with pytest.raises(TraceFileError, match=message):
        load_trace(saved)


def test_the_file_opens_with_safetensors_alone(saved):
    trace = load_trace(saved)
    with safe_open(saved, framework="numpy") as file:
        metadata = file.metadata()
        assert metadata["format"] == FORMAT
        assert json.loads(metadata["facts"])["sampler"] == trace.facts.sampler
        vocabulary = file.get_tensor("vocabulary")
        for name in TOKEN_ARRAYS:
            np.testing.assert_array_equal(vocabulary[file.get_tensor(name)], getattr(trace, name))


def test_errors_are_of_one_family():
    assert issubclass(TraceFileError, TraceError)
    assert issubclass(TraceError, ValueError)
