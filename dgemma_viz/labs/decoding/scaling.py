"""Time against the length of the answer and against the number of prompts at once: where one way overtakes another.

The end of the text is ignored, so that every way writes exactly what was asked for, and diffusion takes a fixed number
of steps: what is compared is the loop, not the answer. Times are this machine's; see :mod:`.race`.

Everything is timed in several rounds, each of which times every way at every place once, so that a moment in which the
machine had other work to do falls on all of them. What else runs can only slow a call down: of a place's rounds the
fastest counts. How far that can be trusted, the rounds themselves say: each has a crossing of its own, and the lowest
and the highest of them are the range (:func:`ranges`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.decoding.race import MOST_REPEATS, seconds_of
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

    repeats
        Rounds.

    Returns
    -------
    pd.DataFrame
        ``way``, ``length``, ``round``, ``seconds``: one row for each.

    Raises
    ------
    SettingError
        A length is out of range, or a way cannot be told to ignore the end of the text.
    """
    most, chosen = int(model.config.text_config.max_position_embeddings), _endless(model, ways)
    checked = [checked_range("a length", length, 1, most, whole=True) for length in listed("lengths", lengths)]
    cells = [(label, 1, length) for length in checked for label in chosen]
    timed = _timed(model, tokenizer, [prompt], chosen, cells, repeats=repeats, seed=seed, progress=progress)
    rows = [(label, length, turn, seconds) for (turn, label, _, length), seconds in timed.items()]
    return pd.DataFrame(rows, columns=["way", "length", "round", "seconds"])


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
    repeats
        Rounds.

    Returns
    -------
    pd.DataFrame
        ``way``, ``batch``, ``round``, ``seconds``, ``tokens_per_second`` (of all answers together).

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
    rows = [(label, size, turn, took, size * length / took) for (turn, label, size, _), took in timed.items()]
    return pd.DataFrame(rows, columns=["way", "batch", "round", "seconds", "tokens_per_second"])


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
    """Way to the length from which it is the faster one, of :func:`time_by_length`; NaN if it never is."""
    wide = _fastest(table, "length")
    return {way: overtaking(wide.index, wide[slow], wide[way]) for way in map(str, wide.columns) if way != slow}


def crossover_batches(table: pd.DataFrame, fast: str = "autoregressive") -> dict[str, float]:
    """Way to the batch from which ``fast`` serves more tokens a second, of :func:`time_by_batch`; NaN if never."""
    wide = _fastest(table, "batch")
    return {way: overtaking(wide.index, wide[way], wide[fast]) for way in map(str, wide.columns) if way != fast}


def ranges(
    crossings: Callable[[pd.DataFrame], dict[str, float]], table: pd.DataFrame
) -> dict[str, tuple[float, float]]:
    """Way to the lowest and the highest crossing of single rounds and of the fastest; NaN, no crossing, is the highest.

    Parameters
    ----------
    crossings
        :func:`break_even_lengths` or :func:`crossover_batches`.
    table
        What it takes.
    """
    places = table.drop(columns=["round", "seconds", "tokens_per_second"], errors="ignore").drop_duplicates()
    whole = [turn for _, turn in table.groupby("round") if len(turn) == len(places)]  # an interrupt cuts the last
    found = pd.DataFrame([crossings(turn) for turn in (*whole, table)])
    return {str(way): (float(those.min()), float(those.max(skipna=False))) for way, those in found.items()}


def _fastest(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """Seconds of the fastest round: a row for each place, a column for each way."""
    return table.pivot_table(index=place, columns="way", values="seconds", aggfunc="min", sort=False).sort_index()


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
) -> dict[tuple[int, str, int, int], float]:
    """Seconds of each round, label, number of prompts and length; prompts are taken in turn."""
    seconds: dict[tuple[int, str, int, int], float] = {}
    rounds = range(checked_range("repeats", repeats, 1, MOST_REPEATS, whole=True))

    def run_cell(cell: tuple[int, str, int, int]) -> float:
        turn, label, size, length = cell
        encoded = encode(tokenizer, [prompts[i % len(prompts)] for i in range(size)])
        inputs = {name: tensor.to(model.device) for name, tensor in encoded.items()} | {"eos_token_id": None}
        sampler, given = ways[label]
        run = sampler.prepare(model, tokenizer, inputs, given, length).run
        if not turn:
            run()  # warms up
        return seconds_of(run, model.device, repeats=1, seed=seed)

    run_grid([(turn, *cell) for turn in rounds for cell in cells], run_cell, seconds.__setitem__, progress=progress)
    return seconds
