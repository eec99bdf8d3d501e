"""How good the bundled model is: exact match on held-out prompts through upstream's unmodified `generate()`.

python -m dgemma_viz.tiny.evaluate [--examples 256] [--folder weights]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.tiny.autoregressive import greedy_decode
from dgemma_viz.tiny.loading import KINDS, load_tiny
from dgemma_viz.tiny.tasks import OPEN_TASKS, TASKS, Example, different_examples
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig
from dgemma_viz.write_whole import write_whole

_EVALUATION_STREAM = 2
DEFAULT = "default settings"
AUTOREGRESSIVE = "autoregressive, greedy"
SAMPLERS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "1 step": {"max_denoising_steps": 1},
    **{f"at most {steps} steps": {"max_denoising_steps": steps} for steps in (2, 4, 8, 16)},
    **{
        f"entropy bound {bound:g}": {"sampler_config": EntropyBoundSamplerConfig(entropy_bound=bound)}
        for bound in (0.01, 1.0, 10.0, 100.0)
    },
}
"""Settings of `generate()`, by name; what they leave out is the default: 48 steps, entropy bound 0.1."""


@dataclass(frozen=True, slots=True)
class Score:
    """Result of one task under one decoder.

    Attributes
    ----------
    right
        Prompts with a right answer.
    forwards
        Mean decoder passes per answer, all its canvases together (autoregressive: one per token).
    tokens_per_forward
        Emitted tokens, end-of-sequence included, per decoder pass.
    """

    decoder: str
    task: str
    examples: int
    right: int
    forwards: float
    tokens_per_forward: float

    @property
    def exact(self) -> float:
        """Share of prompts with a right answer."""
        return self.right / self.examples


@cache
def held_out_examples(task: str, count: int, seed: int = 0) -> tuple[Example, ...]:
    """Draw `different_examples` that training never sees, from a stream of their own."""
    rng = np.random.default_rng((_EVALUATION_STREAM, seed, crc32(task.encode())))
    return tuple(different_examples(TASKS[task], rng, count, held_out=True))


def score(model: Any, tokenizer: Any, task: str, decoder: str, *, count: int, batch: int = 64, seed: int = 0) -> Score:
    """Run one decoder over held-out prompts of one task."""
    examples = held_out_examples(task, count, seed)
    torch.manual_seed(seed)
    right, tokens, forwards = 0, 0, 0
    for start in range(0, count, batch):
        part = examples[start : start + batch]
        inputs = encode_prompt(tokenizer, [example.prompt for example in part])
        if decoder == AUTOREGRESSIVE:
            new = greedy_decode(model, inputs, max_new_tokens=model.generation_config.max_new_tokens)
            lengths = emitted_lengths(new, tokenizer)
            passes = lengths
        else:
            output = model.generate(**inputs, **SAMPLERS[decoder])
            new = output.sequences[:, inputs["input_ids"].shape[1] :]
            lengths = emitted_lengths(new, tokenizer)
            passes = ((new != tokenizer.pad_token_id).sum(-1) / output.tokens_per_forward).round().long()
        tokens += int(lengths.sum())
        forwards += int(passes.sum())
        for example, ids, length in zip(part, new.tolist(), lengths.tolist(), strict=True):
            text = tokenizer.decode([token for token in ids[:length] if token != tokenizer.eos_token_id])
            right += TASKS[task].check(example.prompt, text)
    return Score(decoder, task, count, right, forwards / count, tokens / max(forwards, 1))


def emitted_lengths(new: torch.Tensor, tokenizer: Any) -> torch.Tensor:
    """Tokens up to and with the first end-of-sequence token, for each row of new tokens (rows, length)."""
    is_end = new == tokenizer.eos_token_id
    before_end = is_end.cumsum(-1) - is_end.long() == 0
    return before_end.sum(-1)


def evaluate(model: Any, tokenizer: Any, tasks: Iterable[str] = TASKS, *, count: int) -> Iterator[Score]:
    """Score every task under every decoder."""
    for decoder in (*SAMPLERS, AUTOREGRESSIVE):
        for task in tasks:
            yield score(model, tokenizer, task, decoder, count=count)


def as_markdown(scores: list[Score]) -> str:
    """Write the scores as tables, one of the closed and one of the open tasks: right, mean decoder passes."""
    tasks = _tasks_of(scores)
    halves = ([task for task in tasks if task not in OPEN_TASKS], [task for task in tasks if task in OPEN_TASKS])
    return "\n\n".join(_table(scores, half) for half in halves if half)


def _tasks_of(scores: list[Score]) -> list[str]:
    return list(dict.fromkeys(entry.task for entry in scores))


def _table(scores: list[Score], tasks: Sequence[str]) -> str:
    lines = ["| decoder | " + " | ".join(tasks) + " |", "| --- |" + " ---: |" * len(tasks)]
    for decoder in dict.fromkeys(entry.decoder for entry in scores):
        row = {entry.task: entry for entry in scores if entry.decoder == decoder}
        cells = (f"{percent_range(row[t].right, row[t].examples)} · {row[t].forwards:.1f}" for t in tasks)
        lines.append(f"| {decoder} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def percent_range(right: int, count: int) -> str:
    """A share and its 95 % interval by Wilson (1927), all in percent: ``96 % [93-98]``."""
    low, high = (f"{100 * float(end):.0f}" for end in wilson(right, count))
    return f"{100 * right / count:.0f} % [{low}–{high}]"


def write_report(scores: list[Score], folder: Path) -> str:
    """Save `evaluation.md` and `evaluation.json` in the folder and return the former's text."""
    count = scores[0].examples
    different = {task: len({one.prompt for one in held_out_examples(task, count)}) for task in _tasks_of(scores)}
    few = "".join(
        f" Of {task} there are only {number}, so some were run twice."
        for task, number in different.items()
        if number < count
    )
    text = (
        f"Each cell: right answers with their 95 % interval · mean decoder passes per answer, over {count} different "
        f"held-out prompts a task.{few}\n"
        "Measured with `python -m dgemma_viz.tiny.evaluate`, through the "
        "unmodified `generate()` of transformers; the last row decodes the same weights token by token.\n\n"
        f"{as_markdown(scores)}\n"
    )
    write_whole(folder / "evaluation.md", text)
    facts = json.dumps([asdict(entry) for entry in scores], indent=1)
    write_whole(folder / "evaluation.json", f"{facts}\n")
    return text


def main(arguments: list[str] | None = None) -> None:
    """Evaluate a folder of weights from the command line."""
    parser = argparse.ArgumentParser(prog="python -m dgemma_viz.tiny.evaluate", description=__doc__)
    parser.add_argument("--examples", type=int, default=256, help="held-out prompts a task")
    parser.add_argument("--folder", type=Path, default=KINDS["diffusion"].weights, help="folder with the weights")
    options = parser.parse_args(arguments)
    model, tokenizer = load_tiny(folder=options.folder)
    scores = []
    for entry in evaluate(model, tokenizer, count=options.examples):
        scores.append(entry)
        sys.stderr.write(f"{entry.decoder}, {entry.task}: {entry.exact:.1%}\n")
    sys.stdout.write(write_report(scores, options.folder))


if __name__ == "__main__":
    main()
