"""One range check: what is no number, or outside, is refused with a message that says what is possible."""

import math

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (-1, {}, "x of -1 is out of range; choose 0 or more"),
        (0, {"ends": "(]"}, "x of 0 is out of range; choose above 0"),
        (0.5, {"least": 1, "most": 3}, "x of 0.5 is out of range; choose 1 to 3"),
        (0.0, {"most": 1, "ends": "(]"}, "x of 0 is out of range; choose above 0 and up to 1"),
        (1, {"most": 1, "ends": "()"}, "x of 1 is out of range; choose above 0 and below 1"),
        (-1, {"unit": "nats"}, "choose 0 or more nats"),
        (2**63, {"most": 2**63 - 1, "whole": True}, f"x of {2**63} is out of range; choose 0 to {2**63 - 1}"),
        (2.5, {"whole": True}, "x must be a whole number, not 2.5"),
        (math.nan, {}, "x must be a finite number, not nan"),
        (math.inf, {"whole": True}, "x must be a whole number, not inf"),
        (True, {"whole": True}, "x must be a whole number, not True"),
        ("3", {}, "x must be a finite number, not '3'"),
        (None, {}, "x must be a finite number, not None"),
        ([1, 2], {}, r"x must be a finite number, not \[1, 2\]"),
    ],
)
def test_what_is_refused(value, options, message):
    with pytest.raises(SettingError, match=message):
        checked_range("x", value, **options)


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (3, {"whole": True}, 3),
        (np.int64(3), {"whole": True}, 3),
        (3.0, {"whole": True}, 3),
        (2**63 - 1, {"whole": True, "most": 2**63 - 1}, 2**63 - 1),
        (np.float32(0.5), {"most": 1}, 0.5),
        (1, {"most": 1}, 1.0),
    ],
)
def test_what_is_taken(value, options, expected):
    found = checked_range("x", value, **options)
    assert found == expected
    assert type(found) is type(expected)
