"""One checkpoint, several ways of decoding, the same prompts: what each computes, how long it takes, what is right.

Each way runs twice: bare, for the time, and recorded, for everything else, from the same seed. The counts (forwards,
tokens per forward, wasted positions) are facts of the algorithm and hold on any hardware. The times are this machine's,
with this model: what they would be on large hardware is for :mod:`dgemma_viz.costs` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from dgemma_viz.analysis.decoding_work import decoding_work
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.decoding.timing import seconds_of
from dgemma_viz.labs.decoding.ways import Ways, ways_of
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.recorded_call import recorded_call, with_task
from dgemma_viz.labs.references import is_right
from dgemma_viz.trace import Trace


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
            ``positions``, ``wasted`` (see :class:`~dgemma_viz.analysis.decoding_work.DecodingWork`); ``canvases``;
            ``seconds``, ``tokens_per_second``; ``right``; ``output``.
        """
        return pd.DataFrame([_row(run) for run in self.runs])

    def summary(self) -> pd.DataFrame:
        """One row for each way: sums over the prompts, and what follows from them.

        Returns
        -------
        pd.DataFrame
            By ``way``: ``prompts``, ``tokens``, ``forwards``, ``drafter_forwards``, ``seconds``,
            ``tokens_per_forward``, ``wasted``, ``tokens_per_second``, ``right`` (share; NaN where none is known).
        """
        table = self.table()
        grouped = table.groupby("way", sort=False)
        sums = grouped[["tokens", "forwards", "drafter_forwards", "positions", "seconds"]].sum()
        sums.insert(0, "prompts", grouped.size())
        sums["tokens_per_forward"] = sums["tokens"] / sums["forwards"]
        sums["wasted"] = 1 - sums["tokens"] / sums["positions"]
        sums["tokens_per_second"] = sums["tokens"] / sums["seconds"]
        sums["right"] = grouped["right"].apply(lambda known: pd.to_numeric(known).mean())
        return sums.drop(columns="positions")


def race(  # noqa: PLR0913 - everything but what to run is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    ways: Ways = ("autoregressive", "drafted", "diffusion"),
    *,
    references: Reference | Mapping[str, Reference] | None = None,
    repeats: int = 3,
    seed: int = 0,
    max_new_tokens: int | None = None,
    top_k: int = 8,
    progress: Callable[[int, int], object] | None = None,
) -> Race:
    """Run the ways side by side.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma, bundled or released, with its tokenizer.
    prompts
        Each runs alone.
    ways
        Names of :data:`~dgemma_viz.labs.decoding.ways.WAYS`, ways, or a mapping from label to either.
    references
        Right answers; prompts of the bundled tasks have theirs.
    repeats
        Timed calls of each; the median counts. A call before them warms up.
    progress
        Called after each run with the number of runs done and the number in all.

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
    chosen = ways_of(ways)
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    if not texts:
        raise SettingError("there is no prompt to run; give one, or a list with at least one")
    if max_new_tokens is not None and max_new_tokens < 1:
        raise SettingError(f"{max_new_tokens} new tokens is out of range; choose 1 or more")
    runs: list[Raced] = []
    for text in dict.fromkeys(texts):
        inputs = {name: tensor.to(model.device) for name, tensor in encode(tokenizer, text).items()}
        for label, way in chosen.items():
            prepared = way.prepare(model, tokenizer, inputs, max_new_tokens)
            # The recorded run goes first and warms up.
            trace = recorded_call(prepared.recordable, tokenizer, prepared.run, seed=seed, top_k=top_k)
            trace = with_task(trace, [text], {"way": label})
            seconds = seconds_of(prepared.run, model.device, repeats=repeats, seed=seed)
            runs.append(Raced(label, text, trace, seconds, is_right(text, trace.output_text(), references)))
            if progress is not None:
                progress(len(runs), len(chosen) * len(set(texts)))
    return Race(tuple(runs), {label: way.about for label, way in chosen.items()})


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
        "wasted": work.wasted,
        "canvases": work.canvases,
        "seconds": run.seconds,
        "tokens_per_second": work.tokens / run.seconds,
        "right": run.right,
        "output": run.trace.output_text(),
    }
