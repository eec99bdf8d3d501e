"""One prompt and one seed with several settings: whatever differs between the runs, the settings did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import run_sampler, sampler_named
from dgemma_viz.trace import Trace


def same_seed(
    model: Any,
    tokenizer: Any,
    prompt: str,
    settings: Mapping[str, Mapping[str, Any]],
    *,
    seed: int = 0,
    max_new_tokens: int | None = None,
) -> dict[str, Trace]:
    """Trace of each setting, by its label and in the given order; the first is the natural base of a comparison.

    Parameters
    ----------
    model, tokenizer, prompt, seed, max_new_tokens
        As for :func:`~dgemma_viz.labs.samplers.run_sampler`.
    settings
        Label to ``{"sampler": name, **parameters}``; without a name, the sampler is ``entropy_bound``.

    Returns
    -------
    dict
        For :func:`~dgemma_viz.analysis.alignment.first_divergences` and
        :func:`~dgemma_viz.figures.run_alignment.run_alignment`. Different samplers draw their random numbers in other
        orders, so their runs part in the first step or soon after.

    Raises
    ------
    SettingError
        There are no settings, or one is unknown or out of range; judged before anything runs.
    """
    if not settings:
        raise SettingError("there are no settings to compare: give a mapping from label to parameters")
    calls = {}
    for label, given in settings.items():
        parameters = {name: value for name, value in given.items() if name != "sampler"}
        name = given.get("sampler", "entropy_bound")
        sampler_named(name).checked(parameters)
        calls[str(label)] = (name, parameters)
    return {
        label: run_sampler(model, tokenizer, prompt, name, parameters, seed=seed, max_new_tokens=max_new_tokens)
        for label, (name, parameters) in calls.items()
    }
