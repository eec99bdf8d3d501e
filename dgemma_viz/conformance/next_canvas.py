"""What the next step reads: accepted candidates are kept, everything else is noise.

The noise rules are statistical. A re-noised position holds a token drawn uniformly from a vocabulary of ``V``, so it
equals the draft, the candidate or what it held before with a probability of at most ``3 / V`` (exactly: the number of
different ones of these, by ``V``), and the token drawn before it with ``1 / V``, whatever else happened. Both are asked
by :mod:`dgemma_viz.conformance.statistical`. An argmax written into the canvas, a canvas that is not re-noised, and one
filled with a mask or padding token are found within a few re-noised positions: five at ``V = 100``, three in the
released model.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.conformance.evidence import Array, Evidence, committed_before, each, first_wrong, next_rows, steps_of
from dgemma_viz.conformance.statistical import Draws, Question, Statistical, draws_at
from dgemma_viz.rules import need
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun

_SOURCES = {"draft": "the draft", "candidate": "the candidate", "noised": "what was there before"}
"""What a re-noised position must not hold more often than by chance."""


def _read(run: CanvasRun, steps: Array) -> Array:
    """What the run's sample read in steps of the trace: int ``(T, C)``."""
    ids: Array = run.trace.noised[steps, run.sample, : run.canvas_length]
    return ids


def _kept(evidence: Evidence, run: CanvasRun) -> Checked:
    rows, following = next_rows(evidence, run)
    accepted, decision = run.array("accepted")[rows], run.array("decision")[rows]
    accepted = accepted & ~committed_before(evidence, run)[rows]
    kept = decision == Decision.KEPT
    wanted = np.where(kept, run.array("noised")[rows], run.array("candidate")[rows])
    after = _read(run, following)
    steps = steps_of(run)[rows]

    def tell(t: int, position: int) -> tuple[str, str, str]:
        found, expected = f"token {after[t, position]}", f"token {wanted[t, position]}"
        what = "token kept" if kept[t, position] else "candidate accepted"
        return found, expected, f"The {what} in step {steps[t]} is {expected}, but the next step reads {found}."

    return first_wrong(accepted, accepted & (after != wanted), steps, tell)


def _stays_masked(evidence: Evidence, run: CanvasRun) -> Checked:
    rows, following = next_rows(evidence, run)
    open_ = ~run.array("accepted")[rows] & ~committed_before(evidence, run)[rows]
    after, mask = _read(run, following), evidence.trace.facts.mask_token_id
    steps = steps_of(run)[rows]

    def tell(t: int, position: int) -> tuple[str, str, str]:
        found = f"token {after[t, position]}"
        what = f"Nothing was unmasked at position {position} in step {steps[t]}, but the next step reads {found} there."
        return found, f"token {mask} (mask)", what

    return first_wrong(open_, open_ & (after != mask), steps, tell)


def _copies(evidence: Evidence, run: CanvasRun) -> Draws:
    rows, following = next_rows(evidence, run)
    again, after = ~run.array("accepted")[rows], _read(run, following)
    ids = {name: run.array(name)[rows] for name in _SOURCES if evidence.has(name)}
    different = 1 + (np.diff(np.sort(np.stack(list(ids.values())), axis=0), axis=0) != 0).sum(axis=0)
    same = {_SOURCES[name]: after == source for name, source in ids.items()}
    copied = np.logical_or.reduce(list(same.values()))
    return draws_at(again, copied, different / evidence.trace.facts.vocab_size, steps_of(run)[rows], same)


def _repeats(evidence: Evidence, run: CanvasRun) -> Draws:
    rows, following = next_rows(evidence, run)
    again, after = ~run.array("accepted")[rows], _read(run, following)
    return _like_the_one_before(evidence, after, again, steps_of(run)[rows])


def _first_canvas(evidence: Evidence, run: CanvasRun) -> Draws:
    given = evidence.settings.get("inputs")
    own_canvas = isinstance(given, list | tuple) and "decoder_input_ids" in given
    canvas = run.array("noised")[:1]
    random = np.full(canvas.shape, not (own_canvas and run.canvas == 0))
    return _like_the_one_before(evidence, canvas, random, steps_of(run)[:1])


def _like_the_one_before(evidence: Evidence, tokens: Array, random: Array, steps: Array) -> Draws:
    """Whether random tokens equal the random one before, in this row or an earlier one: each does with ``1 / V``."""
    rows, positions = np.nonzero(random)
    drawn = tokens[random]
    equal = drawn[1:] == drawn[:-1]
    return Draws(equal, np.full(len(equal), 1 / evidence.trace.facts.vocab_size), steps[rows[1:]], positions[1:])


RULES = (
    Rule(
        "initial-canvas-random",
        "Denoising begins with uniformly random tokens (statistical).",
        "EntropyBoundSampler.initialize_canvas",
        (need.UNIFORM_NOISE, need.INPUT_LEFT_ALONE, need.arrays("noised"), need.VOCABULARY),
        Statistical(
            Question(
                "tokens of the canvas that the first step reads",
                "equal the token before",
                "they are random or all the same",
                "chance",
                _first_canvas,
            ),
        ),
        "the caller gave the first canvas",
    ),
    Rule(
        "accepted-kept",
        "The next step reads the accepted candidates where they were accepted, and what was kept where it was kept.",
        "EntropyBoundSampler.accept_canvas (accepted_canvas)",
        (need.INPUT_LEFT_ALONE, need.arrays("accepted", "candidate", "noised")),
        each(_kept),
        "no canvas took more than one step",
    ),
    Rule(
        "re-noised-random",
        "The next step reads uniformly random tokens wherever nothing was accepted (statistical).",
        "EntropyBoundSampler.renoise_canvas; Rapid-MLX#555 (argmax written into the canvas)",
        (need.RE_NOISING, need.INPUT_LEFT_ALONE, need.arrays("accepted"), need.arrays("noised"), need.VOCABULARY),
        Statistical(
            Question(
                "re-noised positions",
                "hold {source} in the next step's canvas",
                "they hold random tokens or copies",
                "chance",
                _copies,
            ),
            Question(
                "re-noised positions",
                "hold the token of the re-noised position before them",
                "they hold random tokens or all the same",
                "chance",
                _repeats,
            ),
        ),
        "nothing was re-noised before the last step",
    ),
    Rule(
        "undecided-masked",
        "The next step reads the mask token wherever nothing was unmasked.",
        "LLaDA, arXiv 2502.09992, algorithm 4; diffusers LLaDA2Pipeline",
        (
            need.MASKED,
            need.MASK_TOKEN,
            need.INPUT_LEFT_ALONE,
            need.arrays("accepted", "noised"),
            need.measured("accepted", "noised"),
        ),
        each(_stays_masked),
        "nothing was left masked before the last step",
    ),
)
