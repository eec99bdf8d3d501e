"""Training batches as a pure function of (seed, step), so that a resumed run sees exactly the batches it missed.

A step holds one batch of each bucket: tasks of similar length together, so that little is padding. Prompts are padded
on the left, hence every response starts at the same column and all positions are plain column numbers, as in
upstream's `generate()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgemma_viz.tiny.tasks import TAUGHT_TASKS, Example, Task, sample_example
from dgemma_viz.tiny.vocabulary import EOS_ID, PAD_ID, vocabulary

TRAINING_STREAM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Tasks that are batched together.

    Attributes
    ----------
    tasks
        Names; each fills an equal share of the batch.
    examples
        Batch size, a multiple of twice the number of tasks.
    prompt_length
        Columns for the left-padded prompt. The mask-token model, whose batches are as long as their texts, reads
        neither this nor the other lengths.
    answer_length
        Response columns that a causal pass reads: at least the longest answer and its EOS, and all canvases but the
        last, which the decoder needs. 0 if the encoder reads prompts only, and learns to write no answers.
    canvas_length
        Tokens denoised together.
    canvases
        Canvases that the longest response needs.
    weight
        Factor of its losses.
    longest_text
        Only examples whose answer has at most so many characters.
    skew
        Of the noise levels, see `noise_levels`.
    questions
        Asked about each story in one pass (`dgemma_viz.tiny.interviews`); 0 where each prompt stands for itself.
    learned_every
        1 if the encoder learns to predict every token of an answer; n if only the n-th, 2n-th and so on, where the
        tokens between are drawn at random.
    """

    tasks: tuple[str, ...]
    examples: int
    prompt_length: int = 0
    answer_length: int = 0
    canvas_length: int = 0
    canvases: int = 1
    weight: float = 1.0
    longest_text: int = 1000
    skew: float = 1.0
    questions: int = 0
    learned_every: int = 1


@dataclass(frozen=True, slots=True)
class Draw:
    """What a batch is a function of, besides its bucket: the run's seed, the step, the bucket's number in it."""

    seed: int
    step: int
    index: int

    def generator(self, stream: int) -> np.random.Generator:
        """The random numbers of one kind of batch."""
        return np.random.default_rng((stream, self.seed, self.step, self.index))


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. B examples, P prompt columns, N canvases of C tokens.

    Attributes
    ----------
    tokens
        (B, P + N*C) clean prompt and response; the response is filled up with EOS.
    is_token
        (B, P + N*C) false on the left padding.
    supervised
        (B, P + N*C) what the encoder learns to predict: the response up to and with its first EOS, or each n-th token
        of that.
    block
        (B,) the canvas that the decoder denoises, 0 to N-1.
    noised
        (B, C) that canvas after noising.
    """

    tokens: NDArray[np.int64]
    is_token: NDArray[np.bool_]
    supervised: NDArray[np.bool_]
    block: NDArray[np.int64]
    noised: NDArray[np.int64]


def noise_levels(rng: np.random.Generator, size: int, skew: float) -> NDArray[np.float64]:
    """Draw noise levels t in (0, 1]: uniform for `skew` 1, leaning towards 1 above it (t = 1 - u**skew)."""
    levels: NDArray[np.float64] = 1.0 - rng.random(size) ** skew
    return levels


def add_noise(
    clean: NDArray[np.int64], levels: NDArray[np.float64], rng: np.random.Generator, tokens: int | None = None
) -> NDArray[np.int64]:
    """Replace each token, with its example's probability t, by one drawn uniformly from the whole vocabulary.

    `tokens` is its size, for a model that was trained with fewer than :func:`~dgemma_viz.tiny.vocabulary.vocabulary`.

    This is uniform-state diffusion: there is no mask token, and the model is not told t. (google-deepmind/gemma
    `gemma/diffusion`, NVIDIA-NeMo/Automodel dllm recipes and TRL `sft_diffusion_gemma.py` agree.)
    """
    replaced = rng.random(clean.shape) < levels[:, None]
    return np.where(replaced, rng.integers(tokens or len(vocabulary()), size=clean.shape), clean)


def make_batch(bucket: Bucket, tokenizer: Any, draw: Draw) -> Batch:
    """Make the batch of a bucket for one step."""
    canvas_length, every = bucket.canvas_length, bucket.learned_every
    rng = draw.generator(TRAINING_STREAM)
    per_task = bucket.examples // len(bucket.tasks)
    names = np.tile(np.array(bucket.tasks), per_task)
    examples = [_sample_within(TAUGHT_TASKS[name], rng, bucket.longest_text) for name in names]
    # Encoding the texts in two calls is several times faster than one by one.
    prompts = tokenizer([example.prompt for example in examples])["input_ids"]
    answers = tokenizer([example.answer for example in examples], add_special_tokens=False)["input_ids"]

    start, end = bucket.prompt_length, bucket.prompt_length + bucket.canvases * canvas_length
    tokens = np.full((len(examples), end), EOS_ID, dtype=np.int64)
    tokens[:, :start] = PAD_ID
    is_token = np.ones(tokens.shape, dtype=bool)
    supervised = np.zeros(tokens.shape, dtype=bool)
    block = np.zeros(len(examples), dtype=np.int64)
    clean = np.empty((len(examples), canvas_length), dtype=np.int64)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        tokens[row, start - len(prompt) : start] = prompt
        is_token[row, : start - len(prompt)] = False
        tokens[row, start : start + len(answer)] = answer
        supervised[row, start + every - 1 : start + len(answer) + 1 : every] = True
        block[row] = rng.integers(len(answer) // canvas_length + 1)
        first = start + block[row] * canvas_length
        clean[row] = tokens[row, first : first + canvas_length]
    noised = add_noise(clean, noise_levels(rng, len(examples), bucket.skew), rng)
    return Batch(tokens, is_token, supervised, block, noised)


def _sample_within(task: Task, rng: np.random.Generator, longest_text: int) -> Example:
    while True:
        example = sample_example(task, rng, held_out=False)
        if len(example.answer) <= longest_text:
            return example
