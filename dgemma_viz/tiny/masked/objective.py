"""The training loss of the mask-token model, and its batches, a pure function of (seed, step).

The layout is that of ``LLaDA2Pipeline``: prompt (padded on the left), answer, and EOS to the end; blocks are counted
from the first column, so one may begin inside the prompt. Blocks are denoised from left to right, and a model that
denoises block b is shown nothing behind it. So an example is cut off after one of its blocks, everything before that
block is clean, and in the block the answer is corrupted in two ways:

- tokens are masked, each with probability t (LLaDA, arXiv 2502.09992, equation 3), t leaning towards 1;
- in half of the examples, some of the tokens left are replaced by wrong ones, half of these from the whole vocabulary,
  half from the same sequence (a model's own mistakes are plausible). The pipeline edits tokens that stand, by what the
  model says about them; a model that learned from masked positions alone says nothing useful there. LLaDA2.1 (arXiv
  2602.08676) calls the two kinds mask-to-token and token-to-token.

The prompt is never touched.

The loss is the weighted mean of the cross-entropy over the corrupted block, WITHOUT LLaDA's factor 1/t (equation 3
there). That factor makes the loss a bound on the likelihood; but it gives most weight to blocks that are nearly whole,
which are easy, and in small batches most of the variance. What counts here is the right answer from a masked block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from dgemma_viz.tiny.batches import Bucket, Draw, noise_levels
from dgemma_viz.tiny.tasks import TASKS, sample_example
from dgemma_viz.tiny.vocabulary import EOS_ID, MASK_ID, PAD_ID, vocabulary

_STREAM = 3
_BLOCK_LENGTHS = (16, 32)
_MOST_PADDING = 7
_MOST_REPLACED = 0.3
_ANY_TOKEN = 0.5
_EASY = 0.1
"""Weight of positions that take no thought, EOS fill and tokens that stand as they should; others have 1."""


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """One batch of B examples, W columns.

    Attributes
    ----------
    clean
        (B, W) prompt, answer, EOS fill; int64.
    noised
        (B, W) the same with one block corrupted; int64.
    attention_mask
        (B, W) 1 on what the model may read: not the padding on the left, nothing behind the block; int64.
    weight
        (B, W) of each position's loss: 0 outside the corrupted block and on the prompt; float32.
    begins
        (B,) column at which the answer begins; int64.
    """

    clean: NDArray[np.int64]
    noised: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    weight: NDArray[np.float32]
    begins: NDArray[np.int64]


def make_masked_batch(bucket: Bucket, tokenizer: Any, draw: Draw, *, easy: float = _EASY) -> MaskedBatch:
    """Make the batch of a bucket for one step; ``easy`` weighs positions that take no thought."""
    names, examples = bucket.tasks, bucket.examples
    rng = draw.generator(_STREAM)
    drawn = [sample_example(TASKS[names[row % len(names)]], rng, held_out=False) for row in range(examples)]
    prompts = tokenizer([example.prompt for example in drawn])["input_ids"]
    answers = tokenizer([example.answer for example in drawn], add_special_tokens=False)["input_ids"]
    padding = rng.integers(_MOST_PADDING, size=examples) * (rng.random(examples) < 0.5)  # noqa: PLR2004
    lengths = rng.choice(_BLOCK_LENGTHS, size=examples)

    begins = padding + np.array([len(prompt) for prompt in prompts])
    ends = begins + np.array([len(answer) for answer in answers]) + 1
    block_ends = np.array([_draw_block_end(rng, *row) for row in zip(begins, ends, lengths, strict=True)])
    clean = np.full((examples, block_ends.max()), EOS_ID)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        clean[row, : padding[row]] = PAD_ID
        text = [*prompt, *answer]
        clean[row, padding[row] : padding[row] + len(text)] = text[: clean.shape[1] - padding[row]]

    column = np.arange(clean.shape[1])
    first = np.maximum(begins, block_ends - lengths)
    in_block = (column >= first[:, None]) & (column < block_ends[:, None])
    masked = in_block & (rng.random(clean.shape) < noise_levels(rng, examples, bucket.skew)[:, None])
    share = rng.uniform(0, _MOST_REPLACED, examples) * (rng.random(examples) < 0.5)  # noqa: PLR2004
    replaced = in_block & ~masked & (rng.random(clean.shape) < share[:, None])
    anything = rng.integers(len(vocabulary()), size=clean.shape)
    plausible = rng.permuted(clean, axis=1)
    noised = np.where(replaced, np.where(rng.random(clean.shape) < _ANY_TOKEN, anything, plausible), clean)
    noised = np.where(masked, MASK_ID, noised)
    takes_thought = (noised != clean) & (column < ends[:, None])
    return MaskedBatch(
        clean,
        noised,
        ((column >= padding[:, None]) & (column < block_ends[:, None])).astype(np.int64),
        np.where(takes_thought, 1.0, easy * in_block).astype(np.float32),
        begins,
    )


def _draw_block_end(rng: np.random.Generator, begin: int, end: int, length: int) -> int:
    """End of the block in which a token, drawn from the answer and its EOS (columns begin to end - 1), lies."""
    return int((rng.integers(begin, end) // length + 1) * length)


def masked_losses(
    model: Any, tokenizer: Any, bucket: Bucket, draw: Draw, share: Callable[[Any], Any]
) -> dict[str, torch.Tensor]:
    """Weighted cross-entropy over a worker's share of a batch."""
    batch = make_masked_batch(bucket, tokenizer, draw)
    clean, weight, noised, mask = (
        torch.from_numpy(share(array)) for array in (batch.clean, batch.weight, batch.noised, batch.attention_mask)
    )
    logits = model(noised, attention_mask=mask).logits
    each = cross_entropy(logits.flatten(0, 1), clean.flatten(), reduction="none").view_as(weight)
    return {"unmasking": (each * weight).sum() / weight.sum()}
