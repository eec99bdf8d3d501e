import math

import pytest

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.outcomes import differing_tokens, outcomes
from dgemma_viz.errors import SettingError
from tests.cut_traces import without_steps
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace


def values(pair, reference=None, sample=0):
    return {row.name: (row.a, row.b) for row in outcomes(pair, reference, sample)}


def test_outcomes_by_hand():
    pair = pair_of(handmade_trace(["b b a", "a b <eos>"]), handmade_trace(["b b <eos>"], second="a"))
    found = values(pair, "bb")
    assert found["output"] == ("ab", "bb")
    assert found["denoising steps"] == (2, 1)
    assert found["tokens per forward"] == (1.5, 3.0)
    assert found["answer"] == ("wrong", "right")
    assert found["wrong tokens"] == (1, 0)
    assert differing_tokens(pair) == (1, 3)


def test_without_a_reference_nothing_is_said_of_errors():
    assert not {"answer", "wrong tokens"} & set(values(pair_of(synthetic_trace(), synthetic_trace(seed=1))))


def test_a_checker_that_only_says_wrong_counts_no_tokens():
    pair = pair_of(handmade_trace(["a b"]), handmade_trace(["b b"], second="a"))
    found = values(pair, lambda _prompt, completion: completion == "bb")
    assert found["answer"] == ("wrong", "right")
    assert found["wrong tokens"] == (None, 0)
    assert "wrong tokens" not in values(pair, lambda _prompt, _completion: False)


def test_a_run_cut_off_and_a_run_without_steps():
    whole = handmade_trace(["a b"])
    cut = pair_of(whole, handmade_trace(["a b"], status="failed"))
    assert values(cut, "ab")["answer"] == ("right", "cut off")
    assert differing_tokens(cut) == (0, 0)
    none = values(pair_of(whole, without_steps(whole)))
    assert none["denoising steps"] == (1, 0)
    assert math.isnan(none["tokens per forward"][1])
    assert none["seconds"][1] is None


def test_a_sample_that_one_trace_lacks_is_none():
    pair = pair_of(synthetic_trace(samples=2), synthetic_trace())
    assert all(b is None for _, b in values(pair, sample=1).values())
    assert differing_tokens(pair, 1) == (0, 0)


def test_a_reference_that_is_none_is_refused():
    with pytest.raises(SettingError, match="not a list"):
        outcomes(pair_of(synthetic_trace(), synthetic_trace()), ["3"])
