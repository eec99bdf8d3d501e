"""One checkpoint, several ways of decoding, the same prompts: what each computes, how long it takes, what is right.

Each way runs twice: bare, for the time, and recorded, for everything else, from the same seed. The counts (forwards,
tokens per forward, wasted positions) are facts of the algorithm and hold on any hardware. The times are this machine's,
with this model: what they would be on large hardware is for :mod:`dgemma_viz.costs` to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pandas as pd

from dgemma_viz.analysis.decoding_work import decoding_work
from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.grid import Progress, run_grid, whole_run
from dgemma_viz.labs.prompts import encode, is_right
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import Choices, Sampler, labelled
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace import Trace

MOST_REPEATS = 100


@dataclass(frozen=True, eq=False)
class Raced:
    """One way on one prompt.

    Attributes
    ----------
    way, prompt
        Label of the way; the prompt as text.
    trace
        Of the recorded run.
    seconds
        Of the bare run; the median where it was repeated.
    right
        Whether the answer is right; None where no right answer is known.
    """

    way: str
    prompt: str
    trace: Trace
    seconds: float
    right: bool | None


@dataclass(frozen=True, eq=False)
class Race:
    """All runs, in the order in which they ran: prompt by prompt, way by way."""

    runs: tuple[Raced, ...]
    abouts: Mapping[str, str] = field(default_factory=dict)
    """Label of a way to a sentence about it."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(dict.fromkeys(run.prompt for run in self.runs))

    def of(self, prompt: str | int = 0) -> dict[str, Raced]:
        """Label to run, for one prompt or its number.

        Raises
        ------
        SettingError
            There is no such prompt.
        """
        known = self.prompts
        if isinstance(prompt, int):
            if not -len(known) <= prompt < len(known):
                raise SettingError(f"there is no prompt number {prompt}; there are {len(known)}, counted from 0")
            prompt = known[prompt]
        if prompt not in known:
            raise SettingError(f"{prompt!r} was not among the prompts; they are {', '.join(map(repr, known[:5]))}")
        return {run.way: run for run in self.runs if run.prompt == prompt}

    def table(self) -> pd.DataFrame:
        """One row for each way and prompt.

        Returns
        -------
        pd.DataFrame
            ``way``, ``prompt``, ``task``; ``tokens``, ``forwards``, ``drafter_forwards``, ``tokens_per_forward``,
            ``positions``, ``wasted`` and its two parts, ``refined_share`` and ``outside_share`` (see
            :class:`~dgemma_viz.analysis.decoding_work.DecodingWork`); ``canvases``; ``seconds``,
            ``tokens_per_second``; ``right``; ``output``.
        """
        return pd.DataFrame([_row(run) for run in self.runs])

    def summary(self) -> pd.DataFrame:
        """One row for each way: sums over the prompts, and what follows from them.

        Returns
        -------
        pd.DataFrame
            By ``way``: ``prompts``, ``tokens``, ``forwards``, ``drafter_forwards``, ``seconds``,
            ``tokens_per_forward``, ``wasted``, ``refined_share``, ``outside_share``, ``tokens_per_second``, ``right``
            (share; NaN where none is known).
        """
        table = self.table()
        grouped = table.groupby("way", sort=False)
        sums = grouped[["tokens", "forwards", "drafter_forwards", "positions", "outside", "seconds"]].sum()
        sums.insert(0, "prompts", grouped.size())
        sums["tokens_per_forward"] = sums["tokens"] / sums["forwards"]
        sums["wasted"] = 1 - sums["tokens"] / sums["positions"]
        sums["outside_share"] = sums["outside"] / sums["positions"]
        sums["refined_share"] = sums["wasted"] - sums["outside_share"]
        sums["tokens_per_second"] = sums["tokens"] / sums["seconds"]
        sums["right"] = grouped["right"].apply(lambda known: pd.to_numeric(known).mean())
        return sums.drop(columns=["positions", "outside"])


def race(  # noqa: PLR0913 - everything but what to run is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    ways: Choices = ("autoregressive", "drafted", "diffusion"),
    *,
    reference: Reference | None = None,
    repeats: int = 3,
    seed: int = 0,
    max_new_tokens: int | None = None,
    top_k: int = 8,
    progress: Progress | None = None,
) -> Race:
    """Run several ways of decoding side by side.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma, bundled or released, with its tokenizer.
    prompts
        Each runs alone.
    ways
        ``"autoregressive"``, ``"drafted"``, ``"looked up"``, ``"diffusion"``, or any of
        :data:`~dgemma_viz.labs.samplers.SAMPLERS`; or a mapping from label to such, with parameters if need be:
        ``{"four steps": {"sampler": "entropy_bound", "max_denoising_steps": 4}}``.
    reference
        Right answers, see :data:`~dgemma_viz.analysis.reference.Reference`; prompts of the bundled tasks have theirs.
    repeats
        Timed calls of each; the median counts. A call before them warms up.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`.

    Returns
    -------
    Race
        After an interrupt, the runs that were finished.

    Raises
    ------
    SettingError
        A way is not known or does not fit the model, or a number is out of range.
    PromptError
        A prompt is empty or not in the tokenizer's words.
    RunFailedError
        A run failed after at least one step; the error holds its trace.

    Examples
    --------
    >>> race(*load_tiny(), "add 347+678=", ["autoregressive", "diffusion"]).table()[["way", "forwards", "right"]]
                  way  forwards  right
    0  autoregressive         5   True
    1       diffusion         2   True
    """
    chosen = labelled(ways)
    texts = list(dict.fromkeys([prompts] if isinstance(prompts, str) else prompts))
    if not texts:
        raise SettingError("there is no prompt to run; give one, or a list with at least one")
    checked_range("repeats", repeats, 1, MOST_REPEATS, whole=True)
    check_reference(reference)
    runs: list[Raced] = []

    def run_cell(cell: tuple[str, str]) -> Raced:
        text, label = cell
        sampler, given = chosen[label]
        # The recorded run goes first and warms up.
        trace = whole_run(
            run(
                model,
                tokenizer,
                text,
                sampler,
                given,
                seed=seed,
                max_new_tokens=max_new_tokens,
                top_k=top_k,
                task={"way": label},
            )
        )
        inputs = {name: tensor.to(model.device) for name, tensor in encode(tokenizer, text).items()}
        prepared = sampler.prepare(model, tokenizer, inputs, given, max_new_tokens)
        seconds = seconds_of(prepared.run, model.device, repeats=repeats, seed=seed)
        return Raced(label, text, trace, seconds, is_right(text, trace.output_text(), reference))

    cells = [(text, label) for text in texts for label in chosen]
    run_grid(cells, run_cell, lambda _cell, raced: runs.append(raced), progress=progress)
    return Race(tuple(runs), {label: _about(sampler) for label, (sampler, _) in chosen.items()})


def seconds_of(run: Callable[[], Any], device: Any, *, repeats: int, seed: int) -> float:
    """Median wall time of a few calls, each from the same seed; the device has finished before the clock stops."""
    import torch

    taken = []
    for _ in range(checked_range("repeats", repeats, 1, MOST_REPEATS, whole=True)):
        torch.manual_seed(seed)
        _wait_for(torch.device(device))
        started = time.perf_counter()
        run()
        _wait_for(torch.device(device))
        taken.append(time.perf_counter() - started)
    return median(taken)


def _wait_for(device: Any) -> None:
    import torch

    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()


def _about(sampler: Sampler) -> str:
    if sampler.way == "diffusion":
        return f"All tokens of a canvas at once, in several steps: {sampler.title}."
    return sampler.description


def _row(run: Raced) -> dict[str, Any]:
    work = decoding_work(run.trace)
    return {
        "way": run.way,
        "prompt": run.prompt,
        "task": run.trace.facts.task.name,
        "tokens": work.tokens,
        "forwards": work.forwards,
        "drafter_forwards": work.drafter_forwards,
        "tokens_per_forward": work.tokens_per_forward,
        "positions": work.positions,
        "outside": work.outside,
        "wasted": work.wasted,
        "refined_share": work.refined_share,
        "outside_share": work.outside_share,
        "canvases": work.canvases,
        "seconds": run.seconds,
        "tokens_per_second": work.tokens / run.seconds,
        "right": run.right,
        "output": run.trace.output_text(),
    }
