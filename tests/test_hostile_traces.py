"""Whatever a trace from a file may hold, every reading of it gives a result, or an error of ours; never a warning."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.conformance import check_conformance
from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.trace import ARRAYS, Decision, Phase, RunFacts, load_trace, save_json_lines
from dgemma_viz.trace.decision import NO_DECISION, is_accepted
from dgemma_viz.trace.schema import TOKEN_ARRAYS
from dgemma_viz.views import contents
from tests.synthetic import synthetic_trace
from tests.trace.hostile import HOSTILE_JSON

PROBABILITIES = ("confidence", "candidate_probability", "top_k_probabilities")
NUMBERS = tuple(name for name, spec in ARRAYS.items() if spec.dtype.startswith("float") and name not in PROBABILITIES)
FLAGS = tuple(name for name, spec in ARRAYS.items() if spec.dtype == "bool" and name != "accepted")


def _values(text):
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


JSON_VALUES = st.sampled_from(
    [
        value
        for text in HOSTILE_JSON
        if len(text) < 100 and text.count("{") + text.count("[") < 9
        for value in _values(text)
    ]
)


def _filled(trace, names, value):
    return {name: np.full_like(getattr(trace, name), value) for name in names}


@st.composite
def hostile_traces(draw):
    """Valid, but with nothing in it that a run would give."""
    sizes = st.integers(1, 2)
    canvases, length = draw(sizes), draw(st.sampled_from([1, 4, (4, 2), (3, 1)]))
    length = length if isinstance(length, int) else length[:canvases]
    trace = synthetic_trace(canvases=canvases, samples=draw(sizes), length=length, steps=draw(st.integers(1, 3)))

    def some(names):
        return draw(st.sets(st.sampled_from(names)))

    arrays = _filled(trace, some(PROBABILITIES), draw(st.sampled_from([np.nan, np.inf, 0, 1])))
    arrays |= _filled(trace, some(NUMBERS), draw(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38, 0])))
    arrays |= _filled(trace, some(FLAGS), draw(st.booleans()))
    arrays |= _filled(trace, ["stable_steps"], draw(st.sampled_from([-(2**31), 0, 2**31 - 1])))
    if draw(st.booleans()):
        arrays |= _filled(trace, ["phase"], draw(st.sampled_from(Phase)))
        decision = draw(st.sampled_from(Decision))
        arrays |= _filled(trace, ["decision"], decision) | _filled(trace, ["accepted"], is_accepted(decision))
    facts = trace.facts
    match draw(st.sampled_from(["ids", "absent", "as they are", "as they are"])):
        case "ids":
            facts = replace(facts, vocab_size=0)
            arrays |= _filled(trace, some(TOKEN_ARRAYS), 2**31 - 1)
        case "absent":
            absent = some([name for name in ARRAYS if name not in ("canvas", "step_in_canvas")])
            facts = replace(facts, absent=tuple(absent))
            arrays |= _filled(trace, absent & {*TOKEN_ARRAYS}, -1)
    _hold_nothing_where_there_is_nothing(trace, arrays)
    kept = {axis: draw(st.integers(0, 2)) for axis in "KPN"}
    if draw(st.integers(0, 4)) == 0:
        kept |= {"S": 0, "N": 0}
    for name, spec in ARRAYS.items():
        array = arrays.get(name, getattr(trace, name))
        arrays[name] = array[tuple(slice(kept.get(axis)) for axis in spec.axes)]
    if draw(st.booleans()):
        changed = draw(st.dictionaries(st.sampled_from(sorted(facts.settings)), JSON_VALUES, max_size=2))
        task = draw(st.dictionaries(st.sampled_from(["name", "reference", "prompt"]), JSON_VALUES))
        facts = replace(facts, settings={**facts.settings, **changed}, task=task)
    if draw(st.booleans()):
        token = draw(st.sampled_from([None, -1, 3, 2**31 - 1]))
        span = draw(st.sampled_from([None, (0, 0), (2, 3), (10**20, 10**21)]))
        facts = replace(facts, mask_token_id=token, pad_token_id=token, eos_token_ids=(), output_span=span, status="?")
    if draw(st.booleans()):
        facts = RunFacts(absent=facts.absent)
    texts = draw(st.sampled_from([{}, trace.token_texts, {-1: "", 2**31 - 1: "x"}]))
    return replace(trace, **arrays, facts=facts, token_texts=texts)


def _hold_nothing_where_there_is_nothing(trace, arrays):
    """Beyond a canvas, and of a step without a decision."""
    beyond = np.broadcast_to(~trace.in_canvas[:, None], trace.noised.shape)
    for name in arrays.keys() & {name for name, spec in ARRAYS.items() if spec.axes.startswith("SBC")}:
        arrays[name][beyond] = getattr(trace, name)[beyond]
    if "emitted" in arrays:
        arrays["emitted"] = np.where(trace.emitted < 0, -1, arrays["emitted"])
    if "decision" in arrays and (arrays["decision"] == NO_DECISION).all():
        arrays |= _filled(trace, ["candidate"], -1)


def _through_a_file(trace, folder):
    trace.save(folder / "run.safetensors")
    return load_trace(folder / "run.safetensors")


def _through_lines(trace, folder):
    save_json_lines(trace, folder / "run.jsonl")
    return load_trace(folder / "run.jsonl")


READINGS = {
    "file": _through_a_file,
    "lines": _through_lines,
    "dataframe": lambda trace, _: trace.to_dataframe(),
    "xarray": lambda trace, _: trace.to_xarray(),
    "diagnosis": lambda trace, _: repr(dv.diagnose(trace)),
    "conformance": lambda trace, _: str(check_conformance(trace)),
    "text": lambda trace, _: trace.output_text() + trace.prompt_text() + repr(trace),
}
CI = settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@settings(CI, max_examples=150)
@given(trace=hostile_traces())
def test_every_reading_gives_a_result(folder, trace):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for read in READINGS.values():
            try:
                assert read(trace, folder) is not None
            except DgemmaVizError:
                assert read is _through_lines, "only lines cannot say all that a trace may hold"


@settings(CI, max_examples=20)
@given(trace=hostile_traces())
def test_every_trace_can_be_shown(trace):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for shown in (contents(trace), contents(pair_of(trace, trace))):
            assert shown.whole_page()
            for place in shown.places():
                assert shown.place(*place)
        dv.explore(trace).close()
