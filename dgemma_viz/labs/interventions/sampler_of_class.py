"""Which sampler of the table a class is: classes are what traces name and what runs, names are what users choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.errors import TraceError

if TYPE_CHECKING:
    from dgemma_viz.trace import Trace

SAMPLER_OF_CLASS = {
    "EntropyBoundSampler": "entropy_bound",
    "EntropyBoundScheduler": "entropy_bound_diffusers",
    "BlockRefinementScheduler": "block_refinement",
    "DiscreteDDIMScheduler": "discrete_ddim",
}
"""Class, as in ``facts.sampler``, to key of :data:`~dgemma_viz.labs.samplers.SAMPLERS`."""


def sampler_of(trace: Trace) -> str:
    """Key of the sampler that made a trace.

    Raises
    ------
    TraceError
        It is none of those that can be run again.
    """
    name = SAMPLER_OF_CLASS.get(trace.facts.sampler)
    if name is None or trace.facts.mask_token_id is not None:
        what = "a model with a mask token" if name else f"the sampler {trace.facts.sampler or 'unknown'!r}"
        raise TraceError(
            f"this trace is of {what}, whose run cannot be repeated; repeated can be runs of a DiffusionGemma with "
            f"{', '.join(SAMPLER_OF_CLASS)}"
        )
    return name
