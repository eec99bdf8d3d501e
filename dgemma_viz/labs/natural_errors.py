"""Wrong tokens that samplers accept by themselves, and how many come right again: many prompts, sampler by sampler.

Beside :mod:`~dgemma_viz.labs.injection`, which plants errors at places chosen by chance: a model's own errors stand
where it is weak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dgemma_viz.analysis.accepted_errors import healed_fractions
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.analysis.run import Run
from dgemma_viz.labs.grid import Progress, listed, run_grid, whole_run
from dgemma_viz.labs.prompts import answer_of
from dgemma_viz.labs.run import checked_seed, run
from dgemma_viz.labs.samplers import Choices, labelled
from dgemma_viz.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("sampler", "runs", "right", "right_low", "right_high", "errors", "healed", "low", "high")


def natural_errors(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    samplers: Choices = ("entropy_bound",),
    *,
    seed: int = 0,
    reference: Reference | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Run all prompts with each sampler, as one batch, and follow the wrong tokens that it accepted.

    Parameters
    ----------
    model, tokenizer, prompts, samplers, reference, progress
        As for :func:`~dgemma_viz.labs.injection.inject_errors`.
    seed
        Of every run.

    Returns
    -------
    pandas.DataFrame
        One row per sampler: ``sampler``; ``runs`` that could be judged; ``right``, the fraction of right answers, with
        its 95 % interval ``right_low`` and ``right_high`` (Wilson); ``errors``, the positions at which a wrong token
        was accepted at some step; ``healed``, the fraction of these that was right in the end, with its interval
        ``low`` and ``high``, as :func:`~dgemma_viz.analysis.accepted_errors.healed_fractions` counts. After an
        interrupt, the samplers that were finished.

    Raises
    ------
    SettingError
        Nothing to run, no such sampler, or a parameter or seed out of range.
    """
    texts, seed = listed("prompts", prompts), checked_seed(seed)
    chosen = labelled(samplers if isinstance(samplers, Mapping) else listed("samplers", samplers))
    check_reference(reference)
    import pandas as pd

    rows: list[tuple[Any, ...]] = []

    def keep(label: str, trace: Trace) -> None:
        runs = [Run.of(trace, answer_of(prompt, reference), sample) for sample, prompt in enumerate(texts)]
        judged = [one.right for one in runs if one.right is not None]
        found = healed_fractions(runs)
        low, high = wilson([sum(judged)], [len(judged)])
        shares = (sum(judged) / len(judged) if judged else float("nan"), float(low[0]), float(high[0]))
        errors, healed = (int(found[name].sum()) for name in ("errors", "healed"))
        ends = wilson([healed], [errors])
        fate = (healed / errors if errors else float("nan"), float(ends[0][0]), float(ends[1][0]))
        rows.append((label, len(judged), *shares, errors, *fate))

    run_grid(
        list(chosen),
        lambda label: whole_run(run(model, tokenizer, texts, *chosen[label], seed=seed)),
        keep,
        progress=progress,
    )
    return pd.DataFrame(rows, columns=list(COLUMNS))
