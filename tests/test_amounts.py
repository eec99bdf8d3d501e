"""Numbers in sentences: what they count is in the singular for one, and in the plural otherwise."""

import pytest

from dgemma_viz.amounts import counted, measured, nats


@pytest.mark.parametrize(
    ("number", "thing", "said"),
    [
        (0, "token", "0 tokens"),
        (1, "token", "1 token"),
        (1, "canvas", "1 canvas"),
        (2, "canvas", "2 canvases"),
        (12345, "decoder pass", "12,345 decoder passes"),
    ],
)
def test_what_is_counted_agrees_with_its_number(number, thing, said):
    assert counted(number, thing) == said


def test_one_nat_is_one_nat():
    assert [nats(value) for value in (0.25, 1.0, 1.0004)] == ["0.25 nats", "1 nat", "1 nat"]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1, "grids", "1 grid"),
        (1.00001, "passes", "1 pass"),
        (2.5, "times", "2.5 times"),
        (1, "times", "1 time"),
        (1, "ms", "1 ms"),
        (1, "GB/s", "1 GB/s"),
        (50, "%", "50%"),
        (3, "", "3"),
    ],
)
def test_a_unit_agrees_with_its_number(value, unit, said):
    assert measured(value, unit) == said
