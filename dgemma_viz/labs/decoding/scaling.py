"""Time against the length of the answer and against the number of prompts at once: where one way overtakes another.

The end of the text is ignored, so that every way writes exactly what was asked for, and diffusion takes a fixed number
of steps: what is compared is the loop, not the answer. Times are this machine's; see :mod:`.side_by_side`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.decoding.timing import seconds_of
from dgemma_viz.labs.decoding.ways import Way, Ways, autoregressive, diffusion, ways_of
from dgemma_viz.labs.prompts import encode

LENGTHS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 72, 96, 144)
BATCHES = (1, 2, 4, 8, 16, 32)


def fixed_ways(steps: Sequence[int] = (4, 9)) -> dict[str, Way]:
    """Autoregressive decoding, and diffusion with so many steps a canvas, each to its end.

    Raises
    ------
    SettingError
        A number of steps is out of range.
    """
    ways = {"autoregressive": autoregressive()}
    for count in steps:
        ways[f"diffusion, {count} steps"] = diffusion(max_denoising_steps=count, confidence_threshold=None)
    return ways


def time_by_length(  # noqa: PLR0913 - everything but what to time is optional
    model: Any,
    tokenizer: Any,
    prompt: str,
    lengths: Sequence[int] = LENGTHS,
    ways: Ways | None = None,
    *,
    repeats: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
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
    _whole("length", lengths, 1, int(model.config.text_config.max_position_embeddings))
    inputs = _inputs(model, tokenizer, [prompt])
    cells = [(label, way, inputs, length) for length in lengths for label, way in _endless(ways).items()]
    rows = _timed(model, tokenizer, cells, repeats, seed, progress)
    return pd.DataFrame(
        [{"way": label, "length": length, "seconds": s} for (label, _, _, length), s in zip(cells, rows, strict=True)]
    )


def time_by_batch(  # noqa: PLR0913 - everything but what to time is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    batches: Sequence[int] = BATCHES,
    ways: Ways | None = None,
    *,
    length: int | None = None,
    repeats: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
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
    _whole("batch", batches, 1, 4096)
    length = int(model.config.canvas_length) if length is None else length
    _whole("length", [length], 1, int(model.config.text_config.max_position_embeddings))
    chosen = _endless(ways)
    if alone := [label for label, way in chosen.items() if not way.batched]:
        raise SettingError(f"'{alone[0]}' takes one prompt at a time (so does transformers' assisted generation)")
    cells = [
        (label, way, _inputs(model, tokenizer, [prompts[i % len(prompts)] for i in range(size)]), length)
        for size in batches
        for label, way in chosen.items()
    ]
    sizes = [size for size in batches for _ in chosen]
    rows = _timed(model, tokenizer, cells, repeats, seed, progress)
    return pd.DataFrame(
        [
            {"way": cell[0], "batch": size, "seconds": s, "tokens_per_second": size * length / s}
            for cell, size, s in zip(cells, sizes, rows, strict=True)
        ]
    )


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


def _endless(ways: Ways | None) -> dict[str, Way]:
    chosen = fixed_ways() if ways is None else ways_of(ways)
    if ending := [label for label, way in chosen.items() if not way.endless]:
        raise SettingError(f"'{ending[0]}' cannot be told to ignore the end of the text; only transformers' loops can")
    return chosen


def _inputs(model: Any, tokenizer: Any, prompts: list[str]) -> dict[str, Any]:
    inputs: dict[str, Any] = {name: tensor.to(model.device) for name, tensor in encode(tokenizer, prompts).items()}
    return {**inputs, "eos_token_id": None}


def _timed(
    model: Any,
    tokenizer: Any,
    cells: list[tuple[str, Way, dict[str, Any], int]],
    repeats: int,
    seed: int,
    progress: Callable[[int, int], object] | None,
) -> list[float]:
    seconds = []
    for _, way, inputs, length in cells:
        run = way.prepare(model, tokenizer, inputs, length).run
        run()
        seconds.append(seconds_of(run, model.device, repeats=repeats, seed=seed))
        if progress is not None:
            progress(len(seconds), len(cells))
    return seconds


def _whole(what: str, values: Sequence[int], least: int, most: int) -> None:
    if not len(values):
        raise SettingError(f"there is no {what} to time")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            raise SettingError(f"a {what} of {value!r} is out of range; choose whole numbers from {least} to {most}")
