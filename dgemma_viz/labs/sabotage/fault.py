"""What a planted fault is: a name, where it was seen, and a context manager that plants it in one model object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

Plant = Callable[[Any], AbstractContextManager[None]]
"""Given a ``DiffusionGemmaForBlockDiffusion``: a context manager that breaks it inside its block, and leaves it as it
was, whatever happens. Plant first, record inside: the recorder must hook what really runs."""


@dataclass(frozen=True)
class Fault:
    """A fault that can be planted.

    Attributes
    ----------
    name
        Identifier, e.g. ``"stability-off-by-one"``.
    title, description
        What a menu shows; one or two sentences on what is broken.
    source
        Where it was seen, e.g. ``"vllm#45965"``, or empty.
    plant
        What plants it.
    named_by
        Rules of :func:`dgemma_viz.check_conformance` of which one names it; none where no such rule is broken.
    """

    name: str
    title: str
    description: str
    source: str
    plant: Plant
    named_by: tuple[str, ...] = ()
