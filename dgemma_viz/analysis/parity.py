"""What came of the same canvases in two models: tables, and whether the difference explains a changed run.

Made by :func:`dgemma_viz.parity`; how the numbers follow from logits stands in
:mod:`~dgemma_viz.analysis.parity_tables`, how the verdict follows from them in
:mod:`~dgemma_viz.analysis.parity_conclusion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from dgemma_viz.analysis.parity_tables import LIKE_B, STEP, Decisions, Drift
from dgemma_viz.analysis.parity_verdict import Conclusion, Verdict
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parity:
    """What came of the same canvases in two models.

    Attributes
    ----------
    table
        One row per step and active sample: ``canvas``, ``step``, ``sample``; ``positions`` compared; ``max_drift``,
        ``mean_drift``, ``rms_drift`` of the logits before temperature; ``kl`` and ``max_kl``, mean and largest of
        KL(A ‖ B) at the sampler's temperature, nats; ``smallest_margin`` of A's two best logits; and, counted in
        positions, ``draft_flips``, ``accepted_flips``, ``candidate_flips`` (accepted by both, with other tokens; NaN
        where the noise is not known), ``stop_flips`` (0 or 1; NaN: no rule known) and ``emitted_flips`` (drafts of the
        last step).
    flips
        One row per flip, in order: ``canvas``, ``step``, ``sample``, ``position`` (-1: the whole sample), ``kind``
        (draft, accepted, candidate, stop), ``was`` and ``became`` in words, NOT escaped; ``lead`` and ``taken``: of a
        draft, A's logit of its token less that of B's, and how much smaller that is in B; of an accepted position, how
        far the entropy before it is from the bound in A, and how far that moved, nats; ``drift``, the largest at that
        position; ``sigmas``, the lead in standard deviations of noise of the drift's size; ``origin``: "a near tie",
        "more than noise", or "" where it cannot be told.
    calibration
        One row per size of Gaussian noise that was added to the logits: ``what``, ``std``, ``positions``,
        ``draft_flips``, ``accepted_flips``, ``kl``. The last two rows are B itself and noise of the same size in each
        step.
    layers
        One row per step and layer: ``canvas``, ``step``, ``layer`` (0: embeddings), ``cosine`` (mean over positions),
        ``smallest_cosine``, ``relative_norm`` (of the difference, to A's); empty unless asked for.
    conclusion
        Verdict, its words, and where the runs part.
    drift, a, b
        Numbers per position; ``compared`` says which count.
    compared
        Bool ``(S, B, C)``.
    notes
        What was not compared, or only with care, and how exact A's passes are. Sentences.
    trace
        Whose canvases they are.
    """

    table: pd.DataFrame
    flips: pd.DataFrame
    calibration: pd.DataFrame
    layers: pd.DataFrame
    conclusion: Conclusion
    drift: Drift = field(repr=False)
    a: Decisions = field(repr=False)
    b: Decisions = field(repr=False)
    compared: Array = field(repr=False)
    notes: tuple[str, ...]
    trace: Trace = field(repr=False)

    @property
    def verdict(self) -> Verdict:
        """Whether the model's difference explains a changed run."""
        return self.conclusion.verdict

    @property
    def first_flip(self) -> Mapping[str, Any] | None:
        """First row of :attr:`flips`; None if nothing flips."""
        return None if self.flips.empty else {str(name): value for name, value in self.flips.iloc[0].items()}

    def explain(self) -> str:
        """The verdict with its numbers, and the notes. Sentences, NOT escaped."""
        told = [self.conclusion.words, self._where_from(), self._scale(), *self.notes]
        return " ".join(sentence for sentence in told if sentence)

    def _where_from(self) -> str:
        """The first flip where the runs part, or the first draft that flips: what led, and what the drift took."""
        here = self.flips
        if self.conclusion.place is not None:
            there = (here[list(STEP)] == list(self.conclusion.place)).all(axis=1)
            decisive = here[there & here["kind"].isin(("accepted", "candidate", "stop"))]
            here = decisive if len(decisive) else here[there]
        if here.empty:
            return ""
        flip = here.iloc[0]
        where = f"canvas {flip['canvas']}, step {flip['step']}, position {flip['position']}"
        if flip["kind"] == "draft":
            sigmas = f"{flip['sigmas']:.2g} standard deviations of such noise"
            by_noise = f"; that is {flip['origin']} ({sigmas})" if flip["origin"] else ""
            return (
                f"In {where} {flip['was']!r} led {flip['became']!r} by {flip['lead']:.3g} logits, of which B took "
                f"{flip['taken']:.3g}{by_noise}."
            )
        if flip["kind"] == "accepted":
            return (
                f"In {where} the entropy before the position was {flip['lead']:.3g} nats from the bound, and in B it "
                f"is {flip['taken']:.3g} nats elsewhere."
            )
        if flip["kind"] == "candidate":
            return f"In {where} the same random number draws {flip['became']!r} in place of {flip['was']!r}."
        where = f"canvas {flip['canvas']}, step {flip['step']}"
        return f"In {where} the stop rule says {flip['became']}, in place of {flip['was']}."

    def _scale(self) -> str:
        """B's flips beside those of noise of the same size."""
        rows = self.calibration.set_index("what")
        if LIKE_B not in rows.index or not rows.loc[LIKE_B, "positions"]:
            return ""
        b, like = rows.loc["B"], rows.loc[LIKE_B]
        return (
            f"Of {b['positions']:,.0f} drafts B flips {b['draft_flips']:,.0f}, and noise of its size (standard "
            f"deviation {b['std']:.2g} logits) {like['draft_flips']:,.0f}; B turns {b['accepted_flips']:,.0f} "
            f"acceptances, the noise {like['accepted_flips']:,.0f}."
        )
