"""What was not the model's to say: tokens that the caller gave, positions that were clamped, drafts that were banned.

A clamped position has one token left; its confidence is 1 and its entropy 0 by construction, so it tells nothing of the
model, and whoever asks how sure the model was leaves it out. Clamped and banned are measured
(:data:`dgemma_viz.trace.schema.RULED_OUT`); given is derived: from the arguments of the call, or from positions that
held their token before the first step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.open_positions import given_positions
from dgemma_viz.trace.model import UNKNOWN_TOKEN, CanvasRun, Trace

Array = npt.NDArray[Any]

_TEMPERATURES = {"LinearTemperatureScheduleLogitsProcessor", "TemperatureLogitsWarper"}


def clamped(run: CanvasRun) -> Array:
    """Where one token alone was left any probability: bool ``(T, C)``."""
    size = run.trace.facts.vocab_size
    alone: Array = run.array("banned") == (size - 1 if size > 1 else -1)
    return alone


def banned_drafts(run: CanvasRun) -> Array:
    """Where the model's own draft was ruled out, so that the recorded one is another: bool ``(T, C)``."""
    lost: Array = run.array("banned_draft") != UNKNOWN_TOKEN
    return lost


def given_tokens(run: CanvasRun) -> Array:
    """Where the step read a token that the caller gave: bool ``(T, C)``.

    A sampler that keeps what its canvas holds keeps given tokens, too. Others read them in the first step, and after it
    as long as the position is clamped to them.
    """
    shape = (run.n_steps, run.canvas_length)
    if not began_with_given(run.trace) or run.canvas:
        return np.broadcast_to(given_positions(run), shape).copy()
    read = run.array("noised")
    stays = (read[1:] == read[:-1]) & clamped(run)[:-1]
    return np.logical_and.accumulate(
        np.concatenate([np.ones((min(1, len(read)), shape[1]), dtype=bool), stays]), axis=0
    )


def began_with_given(trace: Trace) -> bool:
    """Whether the caller gave the first canvas, as the facts say."""
    inputs = trace.facts.settings.get("inputs")
    return isinstance(inputs, list | tuple) and "decoder_input_ids" in inputs


def has_processors(trace: Trace) -> bool:
    """Whether logits processors ran that do more than divide by a temperature, as the facts say."""
    names = trace.facts.settings.get("logits_processors")
    return isinstance(names, list | tuple) and bool({*map(str, names)} - _TEMPERATURES)


def free_values(run: CanvasRun, name: str) -> Array:
    """Confidence, entropy or another number of the distribution, float ``(T, C)``; NaN where that was clamped."""
    values = run.array(name).astype(float)
    values[clamped(run)] = np.nan
    return values
