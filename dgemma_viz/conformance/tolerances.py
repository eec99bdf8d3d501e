"""How far numbers may be from what a rule gives before it counts as broken."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from dgemma_viz.errors import SettingError


@dataclass(frozen=True)
class Tolerances:
    """Slack for floating point, and the risk that the statistical rules take.

    The defaults are for runtimes that compute or log in bfloat16 (8 significant bits: rounding changes a number by up
    to one part in 512) and sum entropies in float32. Positions closer to a threshold than the slack are not judged.

    Attributes
    ----------
    relative
        Of temperatures, bounds, entropies and their sums: one rounding to bfloat16.
    entropy
        Nats, absolute: what two ways of summing an entropy over a vocabulary, or entropies over a canvas, may differ by
        in float32.
    probability
        Absolute: one rounding to bfloat16 or float16 near 1.
    false_alarm
        Probability that one check accuses runs of the reference sampler itself by any of its statistical rules, however
        many traces it is given; how it is shared out says :mod:`dgemma_viz.conformance.statistical`.

    Raises
    ------
    SettingError
        On construction, for a value that is negative or not finite, or a ``false_alarm`` that is not between 0 and 1.
    """

    relative: float = 0.002
    entropy: float = 5e-5
    probability: float = 0.002
    false_alarm: float = 1e-6

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not (math.isfinite(value) and value >= 0):
                raise SettingError(f"tolerance '{option.name}' is {value}; choose a number from 0")
        if not 0 < self.false_alarm < 1:
            raise SettingError(f"tolerance 'false_alarm' is {self.false_alarm}; choose a probability between 0 and 1")
