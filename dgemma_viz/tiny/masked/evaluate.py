"""How good the mask-token model is: exact match on held-out prompts through diffusers' unmodified ``LLaDA2Pipeline``.

python -m dgemma_viz.tiny.masked.evaluate [--examples 128] [--folder weights]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.tiny.evaluate import held_out_examples, percent_range
from dgemma_viz.tiny.loading import KINDS, load_tiny
from dgemma_viz.tiny.masked import MASKED_TASKS
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.write_whole import write_whole

try:
    from dgemma_viz.upstream.diffusers import BlockRefinementScheduler, LLaDA2Pipeline
except ImportError as error:
    raise MissingDependencyError(
        "the mask-token model is judged through diffusers' LLaDA2Pipeline: pip install 'dgemma-viz[diffusers]'"
    ) from error


GEN_LENGTH = 48
"""Room for every answer; the pipeline rounds prompt and answer together up to whole blocks."""
DEFAULT = "default settings"
SAMPLERS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "editing off": {"editing_threshold": None},
    "threshold 0.95": {"threshold": 0.95},
    "threshold 0.3": {"threshold": 0.3},
    "one token a step": {"threshold": 1.0, "editing_threshold": None},
    "at most 4 steps": {"num_inference_steps": 4},
    "1 step, editing off": {"num_inference_steps": 1, "editing_threshold": None},
    "blocks of 16": {"block_length": 16, "num_inference_steps": 16},
}


@dataclass(frozen=True, slots=True)
class MaskedScore:
    """Result of one task under one sampler.

    Attributes
    ----------
    right
        Prompts with a right answer.
    forwards
        Mean decoder passes of a call; per answer where one prompt is run at a time.
    """

    sampler: str
    task: str
    examples: int
    right: int
    forwards: float

    @property
    def exact(self) -> float:
        """Share of prompts with a right answer."""
        return self.right / self.examples


def score_masked(
    model: Any, tokenizer: Any, task: str, sampler: str, *, count: int, batch: int = 1, seed: int = 0
) -> MaskedScore:
    """Run one sampler over held-out prompts of one task."""
    pipeline = LLaDA2Pipeline(model=model, scheduler=BlockRefinementScheduler(), tokenizer=tokenizer)
    pipeline.set_progress_bar_config(disable=True)
    examples = held_out_examples(task, count, seed)
    passes: list[int] = []
    counter = model.register_forward_hook(lambda *_: passes.append(1))
    torch.manual_seed(seed)
    right = 0
    for start in range(0, count, batch):
        part = examples[start : start + batch]
        inputs = encode_prompt(tokenizer, [example.prompt for example in part])
        new = pipeline(**inputs, gen_length=GEN_LENGTH, output_type="seq", **SAMPLERS[sampler]).sequences
        for example, ids in zip(part, new.tolist(), strict=True):
            end = ids.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in ids else len(ids)
            right += TASKS[task].check(example.prompt, tokenizer.decode(ids[:end]))
    counter.remove()
    return MaskedScore(sampler, task, count, right, len(passes) / len(range(0, count, batch)))


def evaluate_masked(model: Any, tokenizer: Any, *, count: int) -> Iterator[MaskedScore]:
    """Score every task under every sampler, one prompt at a time."""
    for sampler in SAMPLERS:
        for task in MASKED_TASKS:
            yield score_masked(model, tokenizer, task, sampler, count=count)


def write_masked_report(scores: list[MaskedScore], folder: Path) -> str:
    """Save ``evaluation.md`` and ``evaluation.json`` in the folder and return the former's text."""
    lines = ["| sampler | " + " | ".join(MASKED_TASKS) + " |", "| --- |" + " ---: |" * len(MASKED_TASKS)]
    for sampler in dict.fromkeys(entry.sampler for entry in scores):
        row = [entry for entry in scores if entry.sampler == sampler]
        cells = (f"{percent_range(entry.right, entry.examples)} · {entry.forwards:.1f}" for entry in row)
        lines.append(f"| {sampler} | " + " | ".join(cells) + " |")
    text = (
        f"Each cell: right answers with their 95 % interval · mean decoder passes per answer, over "
        f"{scores[0].examples} held-out prompts a task.\n"
        "Measured with `python -m dgemma_viz.tiny.masked.evaluate`, through the unmodified `LLaDA2Pipeline` of\n"
        f"diffusers with `gen_length={GEN_LENGTH}` and its default settings (32 steps, blocks of 32, threshold 0.7,\n"
        "editing threshold 0.5, temperature 0) but for those named.\n\n" + "\n".join(lines) + "\n"
    )
    write_whole(folder / "evaluation.md", text)
    facts = json.dumps([asdict(entry) for entry in scores], indent=1)
    write_whole(folder / "evaluation.json", f"{facts}\n")
    return text


def main(arguments: list[str] | None = None) -> None:
    """Evaluate a folder of weights from the command line."""
    parser = argparse.ArgumentParser(prog="python -m dgemma_viz.tiny.masked.evaluate", description=__doc__)
    parser.add_argument("--examples", type=int, default=128, help="held-out prompts a task")
    parser.add_argument("--folder", type=Path, default=KINDS["masked"].weights, help="folder with the weights")
    options = parser.parse_args(arguments)
    model, tokenizer = load_tiny("masked", options.folder)
    scores = []
    for entry in evaluate_masked(model, tokenizer, count=options.examples):
        scores.append(entry)
        sys.stderr.write(f"{entry.sampler}, {entry.task}: {entry.exact:.1%} in {entry.forwards:.1f} passes\n")
    sys.stdout.write(write_masked_report(scores, options.folder))


if __name__ == "__main__":
    main()
