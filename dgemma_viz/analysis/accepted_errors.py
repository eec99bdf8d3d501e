"""What became of wrong tokens that the sampler accepted: healed or kept, and how much of the answer went with them.

The question behind it: does one bad token ruin a block? A wrong candidate that is accepted stands in the canvas that
the next step reads, so every other position sees it. If it pulled the block down, answers with such a token would end
mostly wrong; if it is healed, the sampler re-noised it or drew another token there later.

Where a prompt has many right answers, a token is not wrong by itself: what counts there is that tokens were accepted
which no right answer has together (:func:`contradictions`).

Natural errors only: those that a run made by itself. They are not a random sample of tokens (the hard positions go
wrong first), so this describes runs and proves no cause; wrong tokens put in on purpose do (error injection, after
CDLM, arXiv:2512.15596).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.intervals import ratio, wilson
from dgemma_viz.analysis.reference import Judgement, align, cut, verdict_of
from dgemma_viz.analysis.run import Run
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

_COLUMNS = {
    "canvas": int,
    "position": int,
    "step": int,
    "accepted": object,
    "expected": object,
    "healed": bool,
    "kept": bool,
    "others_wrong": int,
    "others_judged": int,
}


def accepted_errors(trace: Trace, judgement: Judgement) -> pd.DataFrame:
    """One row per judged position at which a wrong token was accepted at some step.

    Columns: ``canvas``, ``position``, ``step`` (first such step within the canvas), ``accepted`` (text of that
    token), ``expected``, ``healed`` (the emitted token is right), ``kept`` (that very token was emitted), and
    ``others_wrong`` of ``others_judged`` other judged positions of the canvas whose emitted token is wrong. Empty where
    nothing was emitted.
    """
    import pandas as pd

    rows = []
    for canvas in range(len(judgement.judged)):
        run = trace.canvas_run(canvas, judgement.sample)
        judged, wrong = (flags[canvas, : run.canvas_length] for flags in (judgement.judged, judgement.wrong))
        standing = _standing(run)
        bad = run.array("accepted") & judged & ~judgement.holds(run, standing)
        for position in np.flatnonzero(bad.any(axis=0)):
            step = int(bad[:, position].argmax())
            token = standing[step, position]
            others_wrong = int(wrong.sum() - wrong[position])
            place = (canvas, int(position), step, run.token_text(token), judgement.expected[canvas, position])
            fate = (not wrong[position], bool(run.emitted is not None and run.emitted[position] == token))
            rows.append((*place, *map(bool, fate), others_wrong, int(judged.sum()) - 1))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _standing(run: CanvasRun) -> Array:
    """The tokens that stand at accepted positions after each step: an earlier commit stays, whatever the candidate."""
    kept = run.array("decision") == Decision.KEPT
    return np.where(kept, run.array("noised"), run.array("candidate"))


def contradictions(run: Run, blank: str) -> pd.DataFrame:
    """One row per position at which a token was accepted that could not stand beside the others accepted with it.

    For prompts with many right answers. At each step the reference is asked for the right answer nearest to what was
    accepted, with ``blank`` for the other positions: where that answer differs, one of the tokens accepted together had
    to be wrong. Which of two that exclude each other is called so is the reference's choice.

    Columns: those of :func:`accepted_errors`; ``expected`` is from the answer that the reference named at ``step``, and
    ``healed`` says that the emitted token is right in the answer as a whole.

    Parameters
    ----------
    run
        Judged by a function that names right answers; without one, or where nothing was emitted, the table is empty.
    blank
        Text of one token that the reference function reads as nothing known.

    Raises
    ------
    SettingError
        The reference function failed.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    judgement = run.judgement
    if judgement is None or not callable(run.reference):
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
    for canvas in range(len(judgement.judged)):
        seen: set[int] = set()
        part = run.trace.canvas_run(canvas, run.sample)
        judged, wrong = (flags[canvas, : part.canvas_length] for flags in (judgement.judged, judgement.wrong))
        places = np.flatnonzero(judged & ~judgement.ends[canvas, : part.canvas_length])
        standing, accepted = _standing(part), part.array("accepted")
        for step in range(part.n_steps):
            texts = _accepted_texts(run.trace, standing[step, places], accepted[step, places], blank)
            for index, expected in _contradicted(run, texts, blank):
                position = int(places[index])
                if position in seen:
                    continue
                seen.add(position)
                token = standing[step, position]
                kept = part.emitted is not None and part.emitted[position] == token
                others = int(wrong.sum() - wrong[position])
                place = (canvas, position, step, part.token_text(token), expected)
                rows.append((*place, not wrong[position], bool(kept), others, int(judged.sum()) - 1))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _accepted_texts(trace: Trace, ids: Array, accepted: Array, blank: str) -> list[str | None]:
    """Texts of accepted tokens, None for an end of sequence, ``blank`` elsewhere."""
    ends = set(trace.facts.eos_token_ids)
    return [
        blank if not taken else None if int(token) in ends else trace.token_text(token)
        for token, taken in zip(ids, accepted, strict=True)
    ]


def _contradicted(run: Run, texts: list[str | None], blank: str) -> Iterator[tuple[int, str]]:
    """Index and right text of what was accepted and is not in the right answer nearest to all of it."""
    if all(text == blank for text in texts):
        return
    known = [blank if text is None else text for text in texts]
    verdict = verdict_of(run.reference, run.prompt, "".join(known)) if callable(run.reference) else False
    if not isinstance(verdict, str):
        return
    wanted, _ = align(known, cut(verdict, set(run.trace.token_texts.values())))
    for index, (text, (expected, _)) in enumerate(zip(texts, wanted, strict=True)):
        if text != blank and (text is None or text.strip() != expected.strip()):
            yield index, expected


def healed_fractions(runs: Iterable[Run], blank: str | None = None) -> pd.DataFrame:
    """How many of the wrong tokens that were accepted were right in the end, by task.

    Columns: ``task``, ``runs`` (judged by their tokens), ``errors`` (rows of :func:`accepted_errors`, or, with
    ``blank``, of :func:`contradictions`), ``healed``,
    ``fraction`` with its 95 % interval ``low`` and ``high`` (Wilson; errors of one run depend on each other, so the
    true interval is wider). NaN where no error was accepted.
    """
    import pandas as pd

    counts: dict[str, list[int]] = {}
    for run in runs:
        if run.judgement is None or not run.judgement.judged.any():
            continue
        errors = accepted_errors(run.trace, run.judgement) if blank is None else contradictions(run, blank)
        count = counts.setdefault(run.task, [0, 0, 0])
        for index, more in enumerate((1, len(errors), int(errors.healed.sum()))):
            count[index] += more
    columns = np.array(list(counts.values()), dtype=int).reshape(-1, 3).T
    judged, errors_of, healed = columns
    low, high = wilson(healed, errors_of)
    return pd.DataFrame(
        {
            "task": list(counts),
            "runs": judged,
            "errors": errors_of,
            "healed": healed,
            "fraction": ratio(healed, errors_of),
            "low": low,
            "high": high,
        }
    )
