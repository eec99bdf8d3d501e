"""What a run did for its answer: decoder passes, positions computed, and how many of them came to nothing.

The same for every way of decoding, from the trace alone, so that diffusion, autoregressive decoding and drafting can be
set side by side. Passes over the prompt are not counted: every way makes one.

Two things are called waste, and they have nothing to do with each other. A position of the answer is computed several
times, because a draft is refined or dropped: fewer steps, or better drafts, would save that. And what lies outside the
answer is computed because a canvas is longer than the answer: only a longer answer, or a shorter canvas, would.
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
    outside
        Those of them that lie behind the answer's end, or before its start where blocks begin in the prompt.
    canvases
        Canvases begun; 1 where decoding goes left to right.
    """

    tokens: int
    forwards: int
    drafter_forwards: int
    positions: int
    outside: int
    canvases: int

    @property
    def tokens_per_forward(self) -> float:
        """Tokens of the answer for each decoder pass; NaN without a pass."""
        return self.tokens / self.forwards if self.forwards else float("nan")

    @property
    def wasted(self) -> float:
        """Share of the computed positions that gave no token: both shares below; NaN without a position."""
        return self.refined_share + self.outside_share

    @property
    def refined_share(self) -> float:
        """Share of the computed positions at which the answer was computed once more than it has tokens.

        Steps before a position's last, and dropped drafts; NaN without a position.
        """
        return (self.positions - self.outside - self.tokens) / self.positions if self.positions else float("nan")

    @property
    def outside_share(self) -> float:
        """Share of the computed positions that lie outside the answer; NaN without a position."""
        return self.outside / self.positions if self.positions else float("nan")


def decoding_work(trace: Trace, sample: int = 0) -> DecodingWork:
    """The work behind one sample's answer."""
    active = trace.active[:, sample]
    causal = sampler_kind(trace) is SamplerKind.CAUSAL
    computed = trace.in_canvas[active]
    if causal:
        computed = (predicted(trace)[:, sample] & (trace.decision[:, sample] != Decision.KEPT))[active]
    begin, end = trace.output_span
    ids = trace.emitted_ids(sample)[begin:end]
    tokens = min(len(trace.output_ids(sample)) + 1, len(ids))
    starts = np.array([trace.index(int(canvas)) for canvas in trace.canvas[active]], dtype=int)
    places = starts[:, None] + np.arange(trace.canvas_length)
    within = (places >= begin) & (places < begin + tokens)
    return DecodingWork(
        tokens=tokens,
        forwards=int(active.sum()),
        drafter_forwards=int(trace.facts.settings.get("drafter_forwards") or 0),
        positions=int(computed.sum()),
        outside=int((computed & ~within).sum()),
        canvases=1 if causal else len(np.unique(trace.canvas[active])),
    )
