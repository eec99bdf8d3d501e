"""One prompt and one seed with several settings: whatever differs between the runs, the settings did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgemma_viz.labs.grid import Progress, run_grid, whole_run
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import Choice, labelled
from dgemma_viz.trace import Trace


def same_seed(
    model: Any,
    tokenizer: Any,
    prompt: str,
    settings: Mapping[str, Choice],
    *,
    seed: int = 0,
    max_new_tokens: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Trace]:
    """Trace of each setting, by its label and in the given order; the first is the natural base of a comparison.

    Parameters
    ----------
    model, tokenizer, prompt, seed, max_new_tokens
        As for :func:`~dgemma_viz.labs.run.run`.
    settings
        Label to ``{"sampler": name, **parameters}``; without a name, the sampler is ``entropy_bound``.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`.

    Returns
    -------
    dict
        For :func:`~dgemma_viz.analysis.alignment.first_divergences` and
        :func:`~dgemma_viz.figures.run_alignment.run_alignment`. Different samplers draw their random numbers in other
        orders, so their runs part in the first step or soon after. After an interrupt, the runs that were finished.

    Raises
    ------
    SettingError
        There are no settings, or one is unknown or out of range; judged before anything runs.
    """
    chosen = labelled(settings)
    traces: dict[str, Trace] = {}
    run_grid(
        list(chosen),
        lambda label: whole_run(
            run(model, tokenizer, prompt, *chosen[label], seed=seed, max_new_tokens=max_new_tokens)
        ),
        traces.__setitem__,
        progress=progress,
    )
    return traces
