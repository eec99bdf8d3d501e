"""How many wrong tokens heal that are put into running canvases, by sampler; and what self-conditioning does.

    python benchmarks/healing.py                # 48 prompts a task
    python benchmarks/healing.py --prompts 8

All prompts are held out of training, and only those count that are answered right without errors. Every run has 12
steps and no adaptive stopping, because diffusers' pipeline emits the draft in place of the canvas when it stops early,
which would hide a wrong token that stayed committed.
"""

from __future__ import annotations

import argparse
import platform
from typing import Any

import diffusers
import numpy as np
import torch
import transformers

import dgemma_viz as dv
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.labs.injection import inject_errors
from dgemma_viz.labs.intervention_effects import intervention_effects
from dgemma_viz.labs.interventions import DropSelfConditioning
from dgemma_viz.tiny.tasks import TASKS, sample_example

TASKS_USED = ("sudoku", "addition", "sort", "story")
STEPS, ERRORS = (2, 6, 11), (1, 3)
UNSTOPPED = {"max_denoising_steps": 12, "confidence_threshold": None}
SAMPLERS = {
    "entropy bound (re-selecting)": {"sampler": "entropy_bound", **UNSTOPPED},
    "block refinement (sticky)": {"sampler": "block_refinement", **UNSTOPPED},
    "block refinement with editing": {"sampler": "block_refinement", "editing_threshold": 0.5, **UNSTOPPED},
    "discrete DDIM": {"sampler": "discrete_ddim", **UNSTOPPED},
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=48, help="prompts of each task")
    count = parser.parse_args().prompts
    torch.set_num_threads(1)
    model, tokenizer = dv.load_tiny()
    random = np.random.default_rng(7)
    prompts = {
        name: [sample_example(TASKS[name], random, held_out=True).prompt for _ in range(count)] for name in TASKS_USED
    }
    print(
        f"Printed by `python benchmarks/healing.py --prompts {count}`; transformers {transformers.__version__}, "
        f"diffusers {diffusers.__version__}, torch {torch.__version__}, Python {platform.python_version()}.\n"
    )
    print_healing(model, tokenizer, prompts)
    print_self_conditioning(model, tokenizer, prompts)


def print_healing(model: Any, tokenizer: Any, prompts: dict[str, list[str]]) -> None:
    """Healed tokens and right answers by task, sampler and step."""
    heads = [f"{count} wrong: healed | answers right" for count in ERRORS]
    print(f"| task | sampler | at step | {' | '.join(heads)} |")
    print("| --- | --- | ---: |" + " ---: |" * 2 * len(ERRORS))
    for task, those in prompts.items():
        found = inject_errors(model, tokenizer, those, SAMPLERS, steps=STEPS, errors=ERRORS).summary()
        cells = found.set_index(["sampler", "step", "errors"])
        for sampler in SAMPLERS:
            for step in STEPS:
                shown = []
                for count in ERRORS:
                    if (sampler, step, count) not in cells.index:
                        shown += ["-", "-"]
                        continue
                    row = cells.loc[(sampler, step, count)]
                    shown.append(f"{row['healed']:.0%} of {row['tokens']:.0f}")
                    shown.append(f"{row['right']:.0%} of {row['runs']:.0f}")
                print(f"| {task} | {sampler} | {step} | {' | '.join(shown)} |", flush=True)
    print()


def print_self_conditioning(model: Any, tokenizer: Any, prompts: dict[str, list[str]]) -> None:
    """Right answers and steps with and without, under the sampler's default settings."""
    print("| task | self-conditioning | right | 95 % interval | denoising steps |")
    print("| --- | --- | ---: | ---: | ---: |")
    conditions = {"on": [], "off": [DropSelfConditioning(canvas=None, step=0)]}
    for task, those in prompts.items():
        table = intervention_effects(model, tokenizer, those, conditions)
        for condition, rows in table.groupby("condition", sort=False):
            right = int(rows["right"].sum())
            low, high = wilson([right], [len(rows)])
            interval = f"{low[0]:.0%} to {high[0]:.0%}"
            print(f"| {task} | {condition} | {right} of {len(rows)} | {interval} | {rows['steps'].mean():.1f} |")


if __name__ == "__main__":
    main()
