"""How good the bundled model is: exact match on held-out prompts through upstream's unmodified `generate()`.

python -m dgemma_viz.tiny.evaluate [--examples 256] [--folder weights]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dgemma_viz.tiny.autoregressive import greedy_decode
from dgemma_viz.tiny.loading import KINDS, load_tiny
from dgemma_viz.tiny.tasks import TASKS, Example, sample_example
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig
from dgemma_viz.write_whole import write_whole

_EVALUATION_STREAM = 2
DEFAULT = "default settings"
AUTOREGRESSIVE = "autoregressive, greedy"
SAMPLERS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "at most 4 steps": {"max_denoising_steps": 4},
    "at most 2 steps": {"max_denoising_steps": 2},
    "1 step": {"max_denoising_steps": 1},
    "entropy bound 50, at most 8 steps": {
        "max_denoising_steps": 8,
        "sampler_config": EntropyBoundSamplerConfig(entropy_bound=50.0),
    },
    "entropy bound 50, temperature 1.6 to 1.2": {
        "t_max": 1.6,
        "t_min": 1.2,
        "sampler_config": EntropyBoundSamplerConfig(entropy_bound=50.0),
    },
}


@dataclass(frozen=True, slots=True)
class Score:
    """Result of one task under one decoder.

    Attributes
    ----------
    exact
        Share of prompts with a right answer.
    forwards
        Mean decoder passes per answer, all its canvases together (autoregressive: one per token).
    tokens_per_forward
        Emitted tokens, end-of-sequence included, per decoder pass.
    """

    decoder: str
    task: str
    examples: int
    exact: float
    forwards: float
    tokens_per_forward: float


def held_out_examples(task: str, count: int, seed: int = 0) -> list[Example]:
    """Draw examples that training never sees, from a stream of their own."""
    rng = np.random.default_rng((_EVALUATION_STREAM, seed, sorted(TASKS).index(task)))
    return [sample_example(TASKS[task], rng, held_out=True) for _ in range(count)]


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
    return Score(decoder, task, count, right / count, forwards / count, tokens / max(forwards, 1))


def emitted_lengths(new: torch.Tensor, tokenizer: Any) -> torch.Tensor:
    """Tokens up to and with the first end-of-sequence token, for each row of new tokens (rows, length)."""
    is_end = new == tokenizer.eos_token_id
    before_end = is_end.cumsum(-1) - is_end.long() == 0
    return before_end.sum(-1)


def evaluate(model: Any, tokenizer: Any, *, count: int, decoders: tuple[str, ...] | None = None) -> Iterator[Score]:
    """Score every task under every decoder (default: all)."""
    for decoder in decoders or (*SAMPLERS, AUTOREGRESSIVE):
        for task in TASKS:
            yield score(model, tokenizer, task, decoder, count=count)


def as_markdown(scores: list[Score]) -> str:
    """Write the scores as a table: exact match, mean decoder passes, tokens per forward."""
    lines = ["| decoder | " + " | ".join(TASKS) + " |", "| --- |" + " ---: |" * len(TASKS)]
    for decoder in dict.fromkeys(entry.decoder for entry in scores):
        row = {entry.task: entry for entry in scores if entry.decoder == decoder}
        cells = (f"{row[t].exact:.1%} · {row[t].forwards:.1f} · {row[t].tokens_per_forward:.1f}" for t in row)
        lines.append(f"| {decoder} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_report(scores: list[Score], folder: Path) -> str:
    """Save `evaluation.md` and `evaluation.json` in the folder and return the former's text."""
    text = (
        f"Each cell: exact match · mean decoder passes per answer · emitted tokens per decoder pass, over "
        f"{scores[0].examples} held-out prompts a task.\n"
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
