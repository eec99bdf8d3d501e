"""Which row of the logits speaks of which position: its own, or the next, as in models that once wrote to the right.

Dream and its like shift their logits by one before they sample. The passes do not say so; the revealed tokens do. Under
the right alignment they are what the rows say: the most probable token, or a probable one. Both alignments are asked
about every revealed token, and one is called inferred only where the tokens that tell them apart speak clearly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dgemma_viz.recorders.any_loop_pass import Pass

_CLEAR = 2
"""Revealed tokens that only one of the alignments has as its draft, before that counts."""
_NATS = 3.0
"""Log-likelihood by which one must be ahead where drafts do not tell."""
_FEWEST = 8
"""Revealed tokens before it is said that no alignment explains them."""
_EXPLAINED = 0.25


@dataclass(frozen=True)
class Alignment:
    """By how many positions the logits are shifted, and what speaks for it."""

    shift: int
    inferred: bool
    revealed: int
    """Tokens that were asked about."""
    drafts: tuple[int, int]
    """How many of them were the draft of their own row, and of the row before."""
    explained: int
    """How many had more probability than one of all tokens, under the alignment taken."""

    @property
    def in_words(self) -> str:
        """A sentence for the trace's notices."""
        own, before = self.drafts
        which = "of the row before it (logits shifted by one)" if self.shift else "of its own row (logits not shifted)"
        counts = (
            f"of {self.revealed} revealed tokens, {own} are the draft of their own row and {before} of the one before"
        )
        if self.inferred:
            return f"Each position is taken to be predicted by the logits {which}: inferred, {counts}"
        return f"Each position is assumed to be predicted by the logits {which}: too little tells ({counts})"

    @property
    def is_explained(self) -> bool:
        """Whether the revealed tokens are what the logits say, as far as there are enough to tell."""
        return self.revealed < _FEWEST or self.explained >= _EXPLAINED * self.revealed


@dataclass(frozen=True)
class Revealed:
    """Tokens that a pass revealed: sample, column of its reading, and token of each, ``(n,)``."""

    of: Pass
    samples: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    tokens: npt.NDArray[np.int32]


def row_of(columns: npt.NDArray[np.intp], one: Pass, shift: int) -> npt.NDArray[np.intp]:
    """Places in a pass's numbers that speak of columns of its reading.

    Shifted, the first column has no row before it; loops that shift read it from its own.
    """
    return np.maximum(columns - shift, 0) - one.first


def probability(
    one: Pass, samples: npt.NDArray[np.intp], rows: npt.NDArray[np.intp], tokens: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    """Probability of tokens in rows of a pass's numbers, NaN where it is not among the alternatives kept."""
    found = one.row("top_k_ids")[samples, rows] == tokens[..., None]
    p = np.where(found, one.row("top_k_probabilities")[samples, rows], 0).sum(axis=-1)
    return np.where(found.any(axis=-1), p, np.nan).astype(np.float32)


def alignment_of(revealed: Iterable[Revealed]) -> Alignment:
    """The alignment under which the revealed tokens are what the logits say."""
    drafts, nats, likely, count = [0, 0], [0.0, 0.0], [0, 0], 0
    for some in revealed:
        count += len(some.tokens)
        for shift in (0, 1):
            rows = row_of(some.columns, some.of, shift)
            kept = rows >= 0
            where = some.samples[kept], rows[kept]
            drafts[shift] += int((some.of.row("draft")[where] == some.tokens[kept]).sum())
            p = probability(some.of, *where, some.tokens[kept])
            least = some.of.row("top_k_probabilities")[where][:, -1]
            nats[shift] += float(np.log(np.maximum(np.where(np.isnan(p), least, p), 1e-8)).sum())
            likely[shift] += int((p > 1 / some.of.vocabulary).sum())
    ahead = drafts[1] - drafts[0]
    if abs(ahead) < _CLEAR:
        clear = abs(nats[1] - nats[0]) >= _NATS
        shift = int(clear and nats[1] > nats[0])
    else:
        clear, shift = True, int(ahead > 0)
    return Alignment(shift, clear, count, (drafts[0], drafts[1]), likely[shift])
