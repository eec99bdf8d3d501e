"""What the bundled model's open tasks show: haste at the first step, rejected tokens, self-conditioning, other seeds.

    python benchmarks/open_answers.py                # 256 held-out prompts a task
    python benchmarks/open_answers.py --examples 64 --folder weights

All runs are unmodified ``generate()`` calls with default settings, but for what a row names: in *kept* and *masked*,
the sampler puts the rejected candidate, or ``<mask>``, where it would put a random token; *not self-conditioned*
withholds the step before by the model's own ``self_conditioning_mask``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import transformers

import dgemma_viz as dv
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.tiny.evaluate import DEFAULT, held_out_examples, percent_range, score
from dgemma_viz.tiny.tasks import OPEN_TASKS, TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.tiny.vocabulary import MASK_ID
from dgemma_viz.upstream.transformers import PREPARE_SAMPLER

BATCH = 64
SEEDS = 16


@contextmanager
def rejected(model: Any, token: int | None) -> Iterator[None]:
    """Put this token at rejected positions, or, for None, the candidate that was rejected."""

    def prepare(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        sampler = original(*args, **kwargs)
        accept, candidates = sampler.accept_canvas, []

        def accept_canvas(current: torch.Tensor, candidate: torch.Tensor, *rest: Any) -> torch.Tensor:
            candidates[:] = [candidate]
            accepted: torch.Tensor = accept(current, candidate, *rest)
            return accepted

        def renoise_canvas(accepted: torch.Tensor, step: int) -> torch.Tensor:  # noqa: ARG001 - upstream's signature
            instead = candidates[0] if token is None else torch.full_like(accepted, token)
            return torch.where(sampler.accepted_token_mask, accepted, instead)

        sampler.accept_canvas, sampler.renoise_canvas = accept_canvas, renoise_canvas
        return sampler

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_SAMPLER, prepare)
        yield


@contextmanager
def not_self_conditioned(model: Any) -> Iterator[None]:
    """Withhold the self-conditioning signal from every pass."""

    def forward(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("self_conditioning_logits") is not None:
            rows = kwargs["self_conditioning_logits"].shape[0]
            kwargs["self_conditioning_mask"] = torch.zeros(rows, dtype=torch.bool, device=model.device)
        return original(*args, **kwargs)

    with InstanceHooks() as hooks:
        hooks.wrap(model, "forward", forward)
        yield


def print_ways(model: Any, tokenizer: Any, count: int) -> None:
    """Right answers and passes, by what happens to rejected positions and with or without self-conditioning."""
    ways: dict[str, AbstractContextManager[None]] = {
        "re-noised (default)": nullcontext(),
        "kept": rejected(model, None),
        "masked": rejected(model, MASK_ID),
        "not self-conditioned": not_self_conditioned(model),
    }
    tasks = ("sudoku", *OPEN_TASKS)
    print("| rejected tokens | " + " | ".join(tasks) + " |", "| --- |" + " ---: |" * len(tasks), sep="\n")
    for name, way in ways.items():
        with way:
            cells = [score(model, tokenizer, task, DEFAULT, count=count, batch=BATCH) for task in tasks]
        shown = (f"{percent_range(cell.right, count)} · {cell.forwards:.1f}" for cell in cells)
        print(f"| {name} | {' | '.join(shown)} |", flush=True)
    print()


def print_first_steps(model: Any, tokenizer: Any, count: int) -> None:
    """Shares of positions accepted and of drafts right at step 0, and different right answers from other seeds."""
    print(f"| task | accepted at step 0 | first drafts right | different right answers of {SEEDS} seeds |")
    print("| --- | ---: | ---: | ---: |")
    for task in TASKS:
        prompts = [example.prompt for example in held_out_examples(task, count)]
        accepted, positions, drafts = 0, 0, 0
        for start in range(0, count, BATCH):
            part = prompts[start : start + BATCH]
            torch.manual_seed(start)
            with dv.record(model, tokenizer) as recording:
                model.generate(**encode_prompt(tokenizer, part))
            trace = recording.trace
            for sample, prompt in enumerate(part):
                run = trace.canvas_run(0, sample)
                ids = run.emitted if run.emitted is not None else run.array("draft")[-1]
                ends = np.flatnonzero(ids == tokenizer.eos_token_id)
                length = int(ends[0]) if len(ends) else len(ids)
                accepted += int(run.array("decision")[0, :length].astype(bool).sum())
                positions += length
                first = run.array("draft")[0].tolist()
                end = first.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in first else len(first)
                drafts += TASKS[task].check(prompt, tokenizer.decode(first[:end]))
        prompt = TASKS[task].example_prompts[0]
        torch.manual_seed(0)
        output = model.generate(**encode_prompt(tokenizer, [prompt] * SEEDS)).sequences
        new = output[:, -(output.shape[1] - encode_prompt(tokenizer, prompt)["input_ids"].shape[1]) :].tolist()
        texts = [tokenizer.decode([token for token in ids if token not in (0, tokenizer.eos_token_id)]) for ids in new]
        right = [text for text in texts if TASKS[task].check(prompt, text)]
        print(
            f"| {task} | {accepted / positions:.0%} | {percent_range(drafts, count)} | "
            f"{len(set(right))} of {len(right)} right |",
            flush=True,
        )
    print()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=256, help="held-out prompts of each task")
    parser.add_argument("--folder", help="weights; by default the bundled ones")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = dv.load_tiny(folder=options.folder)
    print(
        f"Printed by `python benchmarks/open_answers.py --examples {options.examples}`; transformers "
        f"{transformers.__version__}, torch {torch.__version__}. Right answers with 95 % interval · passes.\n"
    )
    print_ways(model, tokenizer, options.examples)
    print_first_steps(model, tokenizer, options.examples)


if __name__ == "__main__":
    main()
