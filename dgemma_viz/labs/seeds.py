"""Which seeds a run can begin from."""

from __future__ import annotations

import operator
from typing import Any, Final

from dgemma_viz.errors import SettingError

LARGEST_SEED: Final = 2**63 - 1
"""What every generator of torch takes."""


def checked_seed(seed: Any) -> int:
    """The seed.

    Raises
    ------
    SettingError
        It is not a whole number in the range of ``torch.manual_seed``.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise SettingError(f"a seed must be a whole number, not {seed!r}") from None
    if not 0 <= number <= LARGEST_SEED:
        raise SettingError(f"seed {number} is out of range; choose a whole number from 0 to {LARGEST_SEED}")
    return number
