"""Time against the length of the answer and against the number of prompts at once: where one way overtakes another.

The end of the text is ignored, so that every way writes exactly what was asked for, and diffusion takes a fixed number
of steps: what is compared is the loop, not the answer. Times are this machine's; see :mod:`.race`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.decoding.race import seconds_of
from dgemma_viz.labs.grid import Progress, listed, run_grid
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.samplers import Choice, Choices, Sampler, Values, labelled
from dgemma_viz.range_check import checked_range

LENGTHS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 72, 96, 144)
BATCHES = (1, 2, 4, 8, 16, 32)
MOST_PROMPTS = 4096


def fixed_ways(steps: Sequence[int] = (4, 9)) -> dict[str, Choice]:
    """Autoregressive decoding, and diffusion with each number of steps a canvas; none of them stops early."""
    ways: dict[str, Choice] = {"autoregressive": "autoregressive"}
    for count in steps:
        ways[f"diffusion, {count} steps"] = {"max_denoising_steps": count, "confidence_threshold": None}
    return ways


def time_by_length(  # noqa: PLR0913 - everything but what to time is optional
    model: Any,
    tokenizer: Any,
    prompt: str,
    lengths: Sequence[int] = LENGTHS,
    ways: Choices | None = None,
    *,
    repeats: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Time of answers of given lengths.

    Parameters
    ----------
    lengths
        Tokens; diffusion computes whole canvases, and that is what is timed.
    ways
        As for :func:`dgemma_viz.labs.decoding.race`; default :func:`fixed_ways`.

    Returns
    -------
    pd.DataFrame
        ``way``, ``length``, ``seconds``: one row for each.

    Raises
    ------
    SettingError
        A length is out of range, or a way cannot be told to ignore the end of the text.
    """
    most, chosen = int(model.config.text_config.max_position_embeddings), _endless(model, ways)
    checked = [checked_range("a length", length, 1, most, whole=True) for length in listed("lengths", lengths)]
    cells = [(label, 1, length) for length in checked for label in chosen]
    timed = _timed(model, tokenizer, [prompt], chosen, cells, repeats=repeats, seed=seed, progress=progress)
    rows = [(label, length, seconds) for (label, _, length), seconds in timed.items()]
    return pd.DataFrame(rows, columns=["way", "length", "seconds"])


def time_by_batch(  # noqa: PLR0913 - everything but what to time is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    batches: Sequence[int] = BATCHES,
    ways: Choices | None = None,
    *,
    length: int | None = None,
    repeats: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Time of several answers at once.

    Parameters
    ----------
    prompts
        Taken in turn until a batch is full.
    length
        Tokens of each answer; default one canvas.

    Returns
    -------
    pd.DataFrame
        ``way``, ``batch``, ``seconds``, ``tokens_per_second`` (of all answers together).

    Raises
    ------
    SettingError
        A number is out of range, or a way takes one prompt at a time or cannot ignore the end of the text.
    """
    most = int(model.config.text_config.max_position_embeddings)
    length = checked_range("a length", model.config.canvas_length if length is None else length, 1, most, whole=True)
    sizes = [checked_range("a batch", size, 1, MOST_PROMPTS, whole=True) for size in listed("batches", batches)]
    chosen = _endless(model, ways)
    if alone := [label for label, (sampler, _) in chosen.items() if not sampler.batched]:
        raise SettingError(f"'{alone[0]}' takes one prompt at a time (so does transformers' assisted generation)")
    cells = [(label, size, length) for size in sizes for label in chosen]
    timed = _timed(model, tokenizer, prompts, chosen, cells, repeats=repeats, seed=seed, progress=progress)
    rows = [(label, size, seconds, size * length / seconds) for (label, size, _), seconds in timed.items()]
    return pd.DataFrame(rows, columns=["way", "batch", "seconds", "tokens_per_second"])


def overtaking(x: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Where ``second`` falls below ``first`` for good, by straight lines between the points; NaN if it never does.

    It is the first ``x`` if ``second`` is below all along.
    """
    places, gap = np.asarray(x, dtype=float), np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    above = np.flatnonzero(gap >= 0)
    if not len(above):
        return float(places[0])
    last = int(above[-1])
    if last == len(places) - 1:
        return float("nan")
    share = gap[last] / (gap[last] - gap[last + 1])
    return float(places[last] + share * (places[last + 1] - places[last]))


def break_even_lengths(table: pd.DataFrame, slow: str = "autoregressive") -> dict[str, float]:
    """Way to the length from which on it is the faster one, of :func:`time_by_length`; NaN if it never is."""
    wide = table.pivot_table(index="length", columns="way", values="seconds", sort=False).sort_index()
    return {
        str(way): overtaking(wide.index.to_numpy(), wide[slow].to_numpy(), wide[way].to_numpy())
        for way in wide.columns
        if way != slow
    }


def crossover_batches(table: pd.DataFrame, fast: str = "autoregressive") -> dict[str, float]:
    """Way to the batch from which on ``fast`` serves more tokens a second, of :func:`time_by_batch`; NaN if never."""
    wide = table.pivot_table(index="batch", columns="way", values="seconds", sort=False).sort_index()
    return {
        str(way): overtaking(wide.index.to_numpy(), wide[way].to_numpy(), wide[fast].to_numpy())
        for way in wide.columns
        if way != fast
    }


def _endless(model: Any, ways: Choices | None) -> dict[str, tuple[Sampler, Values]]:
    chosen = labelled(fixed_ways() if ways is None else ways)
    if ending := [label for label, (sampler, _) in chosen.items() if not sampler.endless]:
        raise SettingError(f"'{ending[0]}' cannot be told to ignore the end of the text; only transformers' loops can")
    for sampler, _ in chosen.values():
        sampler.need_model(model)
    return chosen


def _timed(  # noqa: PLR0913 - all of it is needed
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    ways: dict[str, tuple[Sampler, Values]],
    cells: list[tuple[str, int, int]],
    *,
    repeats: int,
    seed: int,
    progress: Progress | None,
) -> dict[tuple[str, int, int], float]:
    """Seconds of each label, number of prompts and length; prompts are taken in turn."""
    seconds: dict[tuple[str, int, int], float] = {}

    def run_cell(cell: tuple[str, int, int]) -> float:
        label, size, length = cell
        encoded = encode(tokenizer, [prompts[i % len(prompts)] for i in range(size)])
        inputs = {name: tensor.to(model.device) for name, tensor in encoded.items()} | {"eos_token_id": None}
        sampler, given = ways[label]
        run = sampler.prepare(model, tokenizer, inputs, given, length).run
        run()
        return seconds_of(run, model.device, repeats=repeats, seed=seed)

    run_grid(cells, run_cell, seconds.__setitem__, progress=progress)
    return seconds
