import numpy as np
import pytest

from dgemma_viz.diagnosis.canvas_boundary import repeated_tokens

TEXT = np.arange(100, 148)


@pytest.mark.parametrize(
    ("after", "repeated"),
    [
        (np.arange(200, 248), 0),
        (TEXT, 48),
        (np.concatenate([TEXT[:8], np.arange(40)]), 8),
        (np.concatenate([TEXT[:7], np.arange(41)]), 0),
        (np.concatenate([TEXT[-4:], np.arange(44)]), 4),
        (np.concatenate([TEXT[-3:], np.arange(45)]), 0),
        (TEXT[-6:], 6),
        (TEXT[:0], 0),
        (TEXT[-1:], 0),
    ],
)
def test_repeated_tokens(after, repeated):
    assert repeated_tokens(TEXT, after) == repeated


def test_one_token_over_and_over_overlaps_wholly():
    assert repeated_tokens(np.full(6, 3), np.array([3, 3, 3, 3, 5])) == 4
