"""The band that known probabilities leave to the entropy: every distribution lies in it, and its ends are reached."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dgemma_viz.conformance.probabilities import entropy_band


def entropy_of(p):
    return float(-np.sum(p * np.log(np.maximum(p, 1e-300))))


@settings(max_examples=200)
@given(
    logits=hnp.arrays(float, st.integers(2, 30), elements=st.floats(-30, 30)),
    top_k=st.integers(1, 8),
    rounded=st.booleans(),
)
def test_every_distribution_lies_in_its_band(logits, top_k, rounded):
    p = np.exp(logits - logits.max())
    p = np.sort(p / p.sum())[::-1]
    known = p[:top_k].astype(np.float16).astype(float) if rounded else p[:top_k]
    low, high = entropy_band(known, len(p), 0.001 if rounded else 0.0)
    slack = 1e-4 if rounded else 1e-9  # probabilities below 6e-8 vanish in float16
    assert low - slack <= entropy_of(p) <= high + slack


def test_the_upper_end_by_hand():
    """Half on one token of five, the rest spread evenly: log 2 + 0.5 * log 4."""
    low, high = entropy_band(np.array([0.5]), 5)
    assert high == pytest.approx(np.log(2) + 0.5 * np.log(4))
    assert low == pytest.approx(np.log(2)), "the rest on one other token"


def test_the_lower_end_by_hand():
    """0.4 on one token: the rest is at least one more of 0.4 and one of 0.2, and the bound is a little below that."""
    low, _ = entropy_band(np.array([0.4]), 100)
    assert low == pytest.approx(-np.log(0.4))
    assert low <= entropy_of(np.array([0.4, 0.4, 0.2]))


def test_all_probabilities_known():
    p = np.array([0.7, 0.2, 0.1])
    assert entropy_band(p, 3) == pytest.approx((entropy_of(p), entropy_of(p)))


@given(st.floats(0.3, 0.8), st.floats(0.2, 0.9))
def test_temperature_leaves_the_band(temperature, share):
    """The raw entropy of a two-way choice beside the sharpened probabilities lies above the band."""
    raw = np.array([share, 1 - share]) if share > 0.5 else np.array([1 - share, share])
    sharp = raw ** (1 / temperature)
    sharp /= sharp.sum()
    _, high = entropy_band(sharp, 2)
    if raw[0] > 0.55:
        assert entropy_of(raw) > high
