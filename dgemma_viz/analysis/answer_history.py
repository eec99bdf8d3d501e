"""The answer that each step would have given: already right, already final, or right once and lost again.

A run's *draft answer* at a step is the text it would have emitted, had it stopped there: the canvases emitted before,
then the draft of the step, up to the first end-of-sequence token. Whether such an answer is right is the reference's
word: a checker is asked again for every distinct draft answer.

Sources: EverPass (right at some step) against the pass at the end, voting over steps with equal weights, and temporal
semantic entropy: arXiv 2508.09138, where answers are grouped by meaning; here by their text. Already right or final
long before the end: Prophet, arXiv 2508.19982.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.reference import verdict_of
from dgemma_viz.analysis.run import Run
from dgemma_viz.plain_text import joined
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

_COLUMNS = {
    "run": "int64",
    "prompt": "object",
    "seed": "Int64",
    "steps": "int64",
    "right": "bool",
    "ever_right": "bool",
    "right_then_lost": "bool",
    "first_right_step": "Int64",
    "final_from_step": "Int64",
    "answers": "int64",
    "answer_entropy": "float64",
    "vote_right": "bool",
}


@dataclass(frozen=True, eq=False)
class AnswerHistory:
    """Draft answers of one run, over all its ``T`` active steps (all canvases, counted on).

    Attributes
    ----------
    answers
        Draft answer of each step, ``T`` texts, white space around them stripped.
    right
        Whether it is right, bool ``(T,)``.
    final
        Whether it is the last draft answer and stays so, bool ``(T,)``.
    """

    answers: tuple[str, ...]
    right: Array
    final: Array

    @property
    def ever_right(self) -> bool:
        """Whether the right answer was the draft answer at some step (EverPass)."""
        return bool(self.right.any())

    @property
    def vote(self) -> str | None:
        """The answer that most steps gave, the one given last among equals; None without steps."""
        votes = Counter(self.answers)
        latest = {answer: step for step, answer in enumerate(self.answers)}
        return max(votes, key=lambda answer: (votes[answer], latest[answer]), default=None)

    @property
    def vote_right(self) -> bool:
        """Whether that answer is right."""
        return self.vote is not None and bool(self.right[self.answers.index(self.vote)])

    @property
    def entropy(self) -> float:
        """Entropy over the steps' answers in nats: 0 where all steps agree; NaN without steps."""
        shares = np.array(list(Counter(self.answers).values())) / max(1, len(self.answers))
        return float(-(shares * np.log(shares)).sum()) + 0.0 if len(shares) else float("nan")


def answer_history(run: Run) -> AnswerHistory:
    """Follow one run's draft answer through its steps.

    A run without judgement is never right. A run that was cut off has the history of the steps that ran.

    Raises
    ------
    SettingError
        The reference function failed on a draft answer.
    """
    answers = draft_answers(run.trace, run.sample)
    verdicts = {answer: _is_right(run, answer) for answer in set(answers)}
    changes = [step for step in range(1, len(answers)) if answers[step] != answers[step - 1]]
    final = np.arange(len(answers)) >= (changes[-1] if changes else 0)
    return AnswerHistory(answers, np.array([verdicts[answer] for answer in answers], dtype=bool), final)


def draft_answers(trace: Trace, sample: int = 0) -> tuple[str, ...]:
    """What each active step of a sample would have answered, stripped; canvases after each other."""
    ends = set(trace.facts.eos_token_ids)
    answers: list[str] = []
    before: list[str] = []
    for canvas in range(trace.n_canvases):
        run = trace.canvas_run(canvas, sample)
        drafts = run.array("draft")[:, run.in_output]
        texts = {int(token): run.token_text(token) for token in np.unique(drafts)}
        for row in drafts.tolist():
            stop = next((place for place, token in enumerate(row) if token in ends), len(row))
            answers.append(joined([*before, *(texts[token] for token in row[:stop])]).strip())
        emitted = None if run.emitted is None else run.emitted[run.in_output]
        if emitted is None or not ends.isdisjoint(emitted.tolist()):
            break
        before += run.trace.token_texts_of(emitted)
    return tuple(answers)


def history_table(runs: Iterable[Run]) -> pd.DataFrame:
    """One row per run that was judged to its end.

    Columns: ``run`` (index), ``prompt``, ``seed``, ``steps``, ``right`` (at the end), ``ever_right``,
    ``right_then_lost``, ``first_right_step`` (``<NA>``: never), ``final_from_step``, ``answers`` (how many distinct
    ones), ``answer_entropy`` (nats, over the steps), ``vote_right`` (the answer of most steps). Runs that were cut off
    or have no reference are left out.
    """
    import pandas as pd

    rows = []
    for index, run in enumerate(runs):
        if run.right is not None:
            history = answer_history(run)
            right, final = np.flatnonzero(history.right), np.flatnonzero(history.final)
            rows.append(
                {
                    "run": index,
                    "prompt": run.prompt,
                    "seed": run.seed,
                    "steps": len(history.answers),
                    "right": run.right,
                    "ever_right": history.ever_right or run.right,
                    "right_then_lost": history.ever_right and not run.right,
                    "first_right_step": int(right[0]) if len(right) else None,
                    "final_from_step": int(final[0]) if len(final) else None,
                    "answers": len(set(history.answers)),
                    "answer_entropy": history.entropy,
                    "vote_right": history.vote_right,
                }
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _is_right(run: Run, answer: str) -> bool:
    if run.judgement is None:
        return False
    known = run.judgement.reference
    verdict = verdict_of(run.reference, run.prompt, answer) if callable(run.reference) else known
    return answer == verdict.strip() if isinstance(verdict, str) else bool(verdict)
