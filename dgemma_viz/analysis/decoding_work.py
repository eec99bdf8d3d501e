"""What a run did for its answer: decoder passes, positions computed, and how many of them came to nothing.

The same for every way of decoding, from the trace alone, so that diffusion, autoregressive decoding and drafting can be
set side by side. Passes over the prompt are not counted: every way makes one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind, predicted, sampler_kind
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import Trace


@dataclass(frozen=True)
class DecodingWork:
    """The work of one sample.

    Attributes
    ----------
    tokens
        Tokens of the answer, its end-of-sequence token included.
    forwards
        Decoder passes in which the sample took part.
    drafter_forwards
        Passes of a drafter, which is a smaller model.
    positions
        Positions that the passes computed a distribution for.
    canvases
        Canvases begun; 1 where decoding goes left to right.
    """

    tokens: int
    forwards: int
    drafter_forwards: int
    positions: int
    canvases: int

    @property
    def tokens_per_forward(self) -> float:
        """Tokens of the answer for each decoder pass; NaN without a pass."""
        return self.tokens / self.forwards if self.forwards else float("nan")

    @property
    def wasted(self) -> float:
        """Share of the computed positions that gave no token; NaN without a position.

        Dropped drafts, steps before the last, and what lies past the end of the answer.
        """
        return 1 - self.tokens / self.positions if self.positions else float("nan")


def decoding_work(trace: Trace, sample: int = 0) -> DecodingWork:
    """The work behind one sample's answer."""
    active = trace.active[:, sample]
    causal = sampler_kind(trace) is SamplerKind.CAUSAL
    if causal:
        new = predicted(trace)[:, sample] & (trace.decision[:, sample] != Decision.KEPT)
        positions = int(new[active].sum())
    else:
        positions = int(trace.length[active].sum())
    ids = trace.emitted_ids(sample)[slice(*trace.output_span)]
    answer = len(trace.output_ids(sample))
    return DecodingWork(
        tokens=min(answer + 1, len(ids)),
        forwards=int(active.sum()),
        drafter_forwards=int(trace.facts.settings.get("drafter_forwards") or 0),
        positions=positions,
        canvases=1 if causal else len(np.unique(trace.canvas[active])),
    )
