"""Train the bundled drafter: next-token prediction on the bundled model's tasks, answers only.

    python -m dgemma_viz.tiny.drafter.train           # about a quarter of an hour on one CPU core

Same tokenizer, tasks and split as the bundled model. The run depends on its settings and seed only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from dgemma_viz.tiny.batches import Batch, Bucket, make_batch
from dgemma_viz.tiny.config_file import save_with_config
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, PAD_ID, vocabulary
from dgemma_viz.upstream.transformers import LlamaConfig, LlamaForCausalLM
from dgemma_viz.write_whole import write_whole

_REPORT_STEPS = 100
_IGNORED = -100
"""Label that transformers' loss leaves out."""

_BUCKETS = (
    Bucket(("sudoku", "addition", "sort"), 48, prompt_length=24, answer_length=24, canvas_length=24),
    Bucket(("story",), 24, prompt_length=48, answer_length=48, canvas_length=48),
    Bucket(("long",), 16, prompt_length=48, answer_length=100, canvas_length=100),
)


@dataclass(frozen=True, slots=True)
class DrafterRecipe:
    """Everything that the run depends on.

    Attributes
    ----------
    steps
        One batch of each bucket each.
    peak
        Highest learning rate; it warms up linearly and falls along a cosine.
    """

    steps: int = 6000
    peak: float = 3e-3
    warmup: int = 200
    weight_decay: float = 0.01
    width: int = 96
    layers: int = 1
    heads: int = 4
    seed: int = 0


def fresh_drafter(recipe: DrafterRecipe) -> LlamaForCausalLM:
    """Make an untrained drafter from torch's current random state."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary()),
            hidden_size=recipe.width,
            intermediate_size=3 * recipe.width,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            initializer_range=recipe.width**-0.5,
            pad_token_id=PAD_ID,
            bos_token_id=BOS_ID,
            eos_token_id=EOS_ID,
        )
    )


def loss_of(drafter: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the supervised tokens."""
    tokens = torch.from_numpy(batch.tokens)
    labels = tokens.masked_fill(~torch.from_numpy(batch.supervised), _IGNORED)
    mask = torch.from_numpy(batch.is_token)
    positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
    loss: torch.Tensor = drafter(tokens, attention_mask=mask, position_ids=positions, labels=labels).loss
    return loss


def train(recipe: DrafterRecipe) -> LlamaForCausalLM:
    """Train from scratch and return the drafter."""
    torch.manual_seed(recipe.seed)
    drafter, tokenizer = fresh_drafter(recipe), build_tokenizer()
    optimizer = torch.optim.AdamW(
        drafter.parameters(), lr=recipe.peak, betas=(0.95, 0.99), weight_decay=recipe.weight_decay
    )
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, recipe.warmup, recipe.steps)
    started = time.monotonic()
    for step in range(recipe.steps):
        batches = [
            make_batch(bucket, tokenizer, seed=recipe.seed, step=step, index=index, skew=1.0)
            for index, bucket in enumerate(_BUCKETS)
        ]
        losses = [loss_of(drafter, batch) for batch in batches]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(drafter.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % _REPORT_STEPS == 0:
            pace = (time.monotonic() - started) / (step + 1)
            values = ", ".join(f"{float(loss.detach()):.3f}" for loss in losses)
            sys.stderr.write(f"step {step + 1}/{recipe.steps}, {pace:.3f} s each; loss {values}\n")
    return drafter.eval()


def main(arguments: list[str] | None = None) -> None:
    """Train and save, in half precision."""
    parser = argparse.ArgumentParser(
        prog="python -m dgemma_viz.tiny.drafter.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=DrafterRecipe().steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=KINDS["drafter"].weights, help="where the weights go")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    recipe = DrafterRecipe(steps=options.steps, seed=options.seed)
    drafter = train(recipe)
    save_with_config(drafter.half(), options.folder)
    facts: dict[str, Any] = {
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    write_whole(options.folder / "training.json", json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
