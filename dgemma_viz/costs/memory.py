"""Which memory the released model takes in each format, and which devices hold it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dgemma_viz.costs.hardware import HARDWARE
from dgemma_viz.costs.roofline import memory_needed
from dgemma_viz.costs.shape import RELEASED
from dgemma_viz.costs.weight_format import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from dgemma_viz.costs.shape import ModelShape

PUBLISHED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "BF16": "about 52 GB (FG)",
        "FP8": "",
        "NVFP4": "about 18 GB (FG)",
        "Q4_K_M": "16 GB (FG)",
    }
)
"""GB of the whole checkpoint, vision part included, by format."""


def memory_table(shape: ModelShape = RELEASED, *, context: float = 8192) -> pd.DataFrame:
    """Memory by format.

    Parameters
    ----------
    shape
        Model; published figures are known for the released one only.
    context
        Tokens in the key-value cache of one sequence.

    Returns
    -------
    pandas.DataFrame
        ``format``, ``gigabytes`` (text weights, head and cache; modelled), ``published`` (with its source key),
        ``devices`` (names of :data:`~dgemma_viz.costs.hardware.HARDWARE` that hold so much).

    Raises
    ------
    SettingError
        A negative context.
    """
    import pandas as pd

    rows = []
    for name, weights in FORMATS.items():
        needed = memory_needed(shape, weights, context=context)
        rows.append(
            {
                "format": name,
                "gigabytes": needed,
                "published": PUBLISHED.get(name, "") if shape is RELEASED else "",
                "devices": ", ".join(device.name for device in HARDWARE.values() if device.memory >= needed),
            }
        )
    return pd.DataFrame(rows)
