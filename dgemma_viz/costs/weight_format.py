"""How weights are stored, and in which precision they are multiplied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class WeightFormat:
    """A storage format of all weights but the output head, which stays in BF16.

    Attributes
    ----------
    name
        As people call it.
    bytes_per_weight
        Scales included.
    multiplied_in
        Which peak rate of the hardware applies.
    source
        Where the size comes from.
    """

    name: str
    bytes_per_weight: float
    multiplied_in: Literal["bf16", "fp8"]
    source: str


FORMATS: Mapping[str, WeightFormat] = MappingProxyType(
    {
        found.name: found
        for found in (
            WeightFormat("BF16", 2.0, "bf16", "definition"),
            WeightFormat("FP8", 1.0, "fp8", "definition; scales per tensor"),
            WeightFormat("NVFP4", 0.5625, "fp8", "4 bits and an FP8 scale for 16 weights"),
            WeightFormat("Q4_K_M", 0.606, "bf16", "llama.cpp: about 4.85 bits a weight"),
        )
    }
)
"""By name."""
