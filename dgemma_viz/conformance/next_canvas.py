"""What the next step reads: accepted candidates are kept, everything else is noise.

The noise rules are statistical. A re-noised position holds a token drawn uniformly from a vocabulary of ``V``, so it
equals the draft, the candidate or what it held before with a probability of at most ``3 / V`` (exactly: the number of
different ones of these, by ``V``), and its re-noised neighbour with ``1 / V``, whatever else happened. Both are tested
by :mod:`dgemma_viz.conformance.betting`, at half of ``Tolerances.false_alarm`` each and over the whole trace. An argmax
written into the canvas, a canvas that is not re-noised, and one filled with a mask or padding token are found within a
few re-noised positions: five at ``V = 100``, two in the released model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.betting import Bets
from dgemma_viz.conformance.evidence import first_place, next_rows, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dgemma_viz.conformance.evidence import Evidence
    from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

_SOURCES = {"draft": "the draft", "candidate": "the candidate", "noised": "what was there before"}
"""What a re-noised position must not hold more often than by chance."""


def _kept(evidence: Evidence, run: CanvasRun) -> Checked:
    rows, following = next_rows(evidence, run)
    accepted, decision = run.array("accepted")[rows], run.array("decision")[rows]
    kept = decision == Decision.KEPT
    wanted = np.where(kept, run.array("noised")[rows], run.array("candidate")[rows])
    after = run.trace.noised[following, run.sample]
    lost = accepted & (after != wanted)
    if not lost.any():
        return Checked(int(accepted.sum()))
    t, position = first_place(lost)
    step = int(steps_of(run)[rows[t]])
    what = "token kept" if kept[t, position] else "candidate accepted"
    return Checked(
        int(accepted.sum()),
        Breach(
            step,
            position,
            f"token {after[t, position]}",
            f"token {wanted[t, position]}",
            f"The {what} in step {step} is token {wanted[t, position]}, but the next step reads token "
            f"{after[t, position]}.",
            int(lost.sum()),
        ),
    )


def _stays_masked(evidence: Evidence, run: CanvasRun) -> Checked:
    rows, following = next_rows(evidence, run)
    open_ = ~run.array("accepted")[rows]
    after, mask = run.trace.noised[following, run.sample], evidence.trace.facts.mask_token_id
    wrong = open_ & (after != mask)
    if not wrong.any():
        return Checked(int(open_.sum()))
    t, position = first_place(wrong)
    step = int(steps_of(run)[rows[t]])
    return Checked(
        int(open_.sum()),
        Breach(
            step,
            position,
            f"token {after[t, position]}",
            f"token {mask} (mask)",
            f"Nothing was unmasked at position {position} in step {step}, but the next step reads token "
            f"{after[t, position]} there.",
            int(wrong.sum()),
        ),
    )


def _noise(evidence: Evidence) -> Iterator[tuple[CanvasRun, Checked]]:
    risk = evidence.tolerances.false_alarm / 2
    copies, neighbours, accused = Bets(risk), Bets(risk), False
    for run in evidence.runs():
        rows, following = next_rows(evidence, run)
        again, after = ~run.array("accepted")[rows], run.trace.noised[following, run.sample]
        sources = {name: run.array(name)[rows] for name in _SOURCES if evidence.has(name)}
        same = {name: again & (after == ids) for name, ids in sources.items()}
        ordered = np.sort(np.stack(list(sources.values())), axis=0)
        different = 1 + (np.diff(ordered, axis=0) != 0).sum(axis=0)
        copied = np.logical_or.reduce(list(same.values()))
        copied_at = _placed(copies, again, copied, different / evidence.trace.facts.vocab_size)
        beside_at = _placed(neighbours, *_beside(evidence, after, again))
        breach = None
        if copied_at and not accused and (beside_at is None or copied_at <= beside_at):
            counts = {name: int(hits[: copied_at[0] + 1].sum()) for name, hits in same.items()}
            breach = _noise_breach(run, rows, copied_at, copies, _SOURCES[max(counts, key=lambda name: counts[name])])
        elif beside_at and not accused:
            breach = _noise_breach(run, rows, beside_at, neighbours, "the re-noised token beside them")
        accused |= breach is not None
        yield run, Checked(int(again.sum()), breach)


def _noise_breach(run: CanvasRun, rows: Array, place: tuple[int, int], bets: Bets, what: str) -> Breach:
    return Breach(
        int(steps_of(run)[rows[place[0]]]),
        place[1],
        f"{bets.hits} of {bets.events}",
        f"about {bets.expected:.2g} of {bets.events}",
        f"Up to here, {bets.hits} of {bets.events} re-noised positions hold {what} in the next step's canvas, where "
        f"random tokens should be (by chance about {bets.expected:.2g}).",
    )


def _initial(evidence: Evidence) -> Iterator[tuple[CanvasRun, Checked]]:
    given = evidence.settings.get("inputs")
    own_canvas = isinstance(given, list | tuple) and "decoder_input_ids" in given
    bets = Bets(evidence.tolerances.false_alarm)
    for run in evidence.runs():
        if not run.n_steps or (own_canvas and run.canvas == 0):
            continue
        canvas = run.array("noised")[:1]
        judged, happened, p = _beside(evidence, canvas, np.ones(canvas.shape, dtype=bool))
        place = _placed(bets, judged, happened, p)
        breach = None
        if place is not None:
            breach = Breach(
                0,
                place[1],
                f"{bets.hits} of {bets.events}",
                f"about {bets.expected:.2g} of {bets.events}",
                f"In the canvas that the first step reads, {bets.hits} of {bets.events} tokens equal the one before, "
                f"where random tokens should be (by chance about {bets.expected:.2g}).",
            )
        yield run, Checked(int(judged.sum()), breach)


def _beside(evidence: Evidence, tokens: Array, random: Array) -> tuple[Array, Array, Array]:
    """Which random tokens have a random one to the left, which of them equal it, and with what probability."""
    judged, equal = np.zeros(random.shape, dtype=bool), np.zeros(random.shape, dtype=bool)
    judged[:, 1:] = random[:, 1:] & random[:, :-1]
    equal[:, 1:] = judged[:, 1:] & (tokens[:, 1:] == tokens[:, :-1])
    return judged, equal, np.full(random.shape, 1 / evidence.trace.facts.vocab_size)


def _placed(bets: Bets, judged: Array, happened: Array, probability: Array) -> tuple[int, int] | None:
    """Bet on the judged places of a canvas in order; row and position at which chance is ruled out."""
    index = bets.place(happened[judged], probability[judged])
    if index is None:
        return None
    row, position = np.argwhere(judged)[index]
    return int(row), int(position)


def _comparable(evidence: Evidence) -> str:
    return needs.arrays("noised")(evidence) or needs.vocabulary(evidence)


RULES = (
    Rule(
        "initial-canvas-random",
        "Denoising begins with uniformly random tokens (statistical).",
        "EntropyBoundSampler.initialize_canvas",
        (needs.left_alone(*needs.READ), _comparable),
        _initial,
        "the caller gave the first canvas",
        concerns.uniform,
    ),
    Rule(
        "accepted-kept",
        "The next step reads the accepted candidates where they were accepted, and what was kept where it was kept.",
        "EntropyBoundSampler.accept_canvas (accepted_canvas)",
        (needs.left_alone(*needs.READ), needs.arrays("accepted", "candidate", "noised")),
        each(_kept),
        "no canvas took more than one step",
    ),
    Rule(
        "re-noised-random",
        "The next step reads uniformly random tokens wherever nothing was accepted (statistical).",
        "EntropyBoundSampler.renoise_canvas; Rapid-MLX#555 (argmax written into the canvas)",
        (
            needs.left_alone(*needs.READ),
            needs.arrays("accepted"),
            _comparable,
        ),
        _noise,
        "nothing was re-noised before the last step",
        concerns.kinds(SamplerKind.ENTROPY_BOUND, SamplerKind.BLOCK_REFINEMENT),
    ),
    Rule(
        "undecided-masked",
        "The next step reads the mask token wherever nothing was unmasked.",
        "LLaDA, arXiv 2502.09992, algorithm 4; diffusers LLaDA2Pipeline",
        (
            needs.left_alone(*needs.READ),
            needs.arrays("accepted", "noised"),
        ),
        each(_stays_masked),
        "nothing was left masked before the last step",
        concerns.kinds(SamplerKind.MASKED),
    ),
)
