"""Numbers of an inside, against sums that can be done by hand."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.inside import (
    SOURCES,
    distinct_experts,
    expert_load,
    expert_overlap,
    known_at,
    sources_read,
)
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.inside.expert_table import expert_table
from dgemma_viz.trace.inside import Attention, Experts, Origin
from tests.synthetic_inside import synthetic_inside


def test_sources_read_add_up_what_stands_there():
    seen = synthetic_inside(layers=1, positions=3, context=2)
    weight = np.array([[0, 0.25, 0.5, 0.25, 0], [0, 0, 1, 0, 0], [0, 0.5, 0, 0.25, 0.25]])[None, None]
    seen = replace(
        seen.only(),
        context_mask=[False, True],
        origin=[Origin.ACCEPTED, Origin.NOISE, Origin.RENOISED],
        attention=Attention([0], [-1], [0], weight),
    )
    read = sources_read(seen)
    assert SOURCES == ("context", "accepted", "re-noised", "noise", "given")
    np.testing.assert_allclose(read.share[0, 0], [[0.25, 0.5, 0, 0.25, 0], [0, 1, 0, 0, 0], [0.5, 0, 0.25, 0.25, 0]])
    assert read.tokens.tolist() == [1, 1, 1, 1, 0]
    np.testing.assert_allclose(read.by_layer()[0], [0.25, 0.5, 1 / 12, 1 / 6, 0])
    np.testing.assert_allclose(read.by_layer(seen.origin == Origin.NOISE)[0], [0, 1, 0, 0, 0])
    assert np.isnan(read.by_layer(np.zeros(3, dtype=bool))).all()


def test_sources_of_every_position_add_up_to_one():
    read = sources_read(synthetic_inside(heads=2))
    np.testing.assert_allclose(read.share.sum(axis=-1), 1, atol=2e-3)


def test_experts_are_counted():
    chosen = np.array([[[0, 1], [0, 2], [0, 1]], [[3, 1], [3, 1], [3, 1]]])
    seen = synthetic_inside(layers=2, positions=3)
    nothing = np.zeros((2, 3))
    seen = replace(seen.only("lens"), experts=Experts([0, 1], chosen, np.zeros((2, 3, 2)), nothing))
    assert expert_load(seen.experts, 4).tolist() == [[3, 2, 1, 0], [0, 3, 0, 3]]
    assert distinct_experts(seen.experts).tolist() == [3, 2]
    pairs = [(0, 1), (0, 2), (1, 2)]
    shared = [np.mean([len({*layer[a]} & {*layer[b]}) / 2 for a, b in pairs]) for layer in chosen]
    np.testing.assert_allclose(expert_overlap(seen.experts), shared)
    table = expert_table(seen)
    assert table["touched"].tolist() == [3, 2]
    np.testing.assert_allclose(table["expected"], 4 * (1 - 0.5**3))
    np.testing.assert_allclose(table["busiest"], [1, 1])
    np.testing.assert_allclose(table["overlap_expected"], 0.5)


def test_random_experts_touch_what_the_formula_expects():
    many = synthetic_inside(layers=200, positions=12, experts=32)
    table = expert_table(many)
    assert abs(table["touched"].mean() - table["expected"].iloc[0]) < 0.3
    assert abs(table["overlap"].mean() - 2 / 32) < 0.01


def test_a_depth_knows_a_token_that_is_its_best():
    lens = synthetic_inside().lens
    wanted = lens.ids[2, :, 1]
    known, probability = known_at(lens, wanted)
    np.testing.assert_array_equal(known, lens.ids[:, :, 0] == wanted)
    among = (lens.ids == wanted[None, :, None]).any(axis=2)
    assert (np.isnan(probability) == ~among).all()
    assert (probability[2] >= lens.probability[2, :, 1]).all()


def test_what_was_not_taken_is_named():
    with pytest.raises(SettingError, match="holds no attention"):
        sources_read(synthetic_inside().only("lens"))
    with pytest.raises(SettingError, match="holds no experts"):
        expert_table(synthetic_inside().only("lens"))
