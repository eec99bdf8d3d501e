"""Settings that a sampler was asked for, when the trace itself does not say or is not to be believed.

>>> read_settings(["released", "entropy_bound=0.2"])
{'max_denoising_steps': 48, 'entropy_bound': 0.2, ...}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dgemma_viz.analysis import released
from dgemma_viz.errors import SettingError

Setting = float | int | None

RELEASED: Mapping[str, Setting] = MappingProxyType(
    {
        "max_denoising_steps": released.MAX_DENOISING_STEPS,
        "entropy_bound": released.ENTROPY_BOUND,
        "t_min": released.T_MIN,
        "t_max": released.T_MAX,
        "stability_threshold": released.STABILITY_THRESHOLD,
        "confidence_threshold": released.CONFIDENCE_THRESHOLD,
    }
)
"""The released model's own, see :mod:`dgemma_viz.analysis.released`."""


OF_OTHERS = ("block_length", "editing_threshold", "quota", "threshold")
"""Settings of other samplers, see :mod:`~dgemma_viz.conformance.unmasking`."""


def checked_settings(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings, if rules know them and can use them.

    Raises
    ------
    SettingError
        A name that no rule uses, or a value that is neither a number nor None.
    """
    for name, value in settings.items():
        if name not in RELEASED and name not in OF_OTHERS:
            raise SettingError(f"there is no reference setting '{name}'; choose from {sorted([*RELEASED, *OF_OTHERS])}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not is_number:
            raise SettingError(f"reference setting '{name}' is {value!r:.40}; give a number, or None for none")
    return dict(settings)


def read_settings(words: Iterable[str]) -> dict[str, Setting]:
    """Settings from ``name=value`` and the word ``released``, as a command line gives them; the last one counts.

    Raises
    ------
    SettingError
        A word is neither, its name is not known, or its value is neither a number nor ``none``.
    """
    settings: dict[str, Setting] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word == "released":
            settings |= RELEASED
        elif not equals:
            raise SettingError(f"'{word}' is not a reference setting; write 'released' or NAME=VALUE, e.g. t_min=0.4")
        else:
            settings |= checked_settings({name: _value(name, value)})
    return settings


def _value(name: str, text: str) -> Setting:
    try:
        value = None if text.lower() == "none" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"reference setting '{name}' is '{text:.40}'; give a number, or none") from error
    return value if not isinstance(value, list | dict | str | bool) else math.nan
