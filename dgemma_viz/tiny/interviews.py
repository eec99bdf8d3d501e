"""Interviews: several questions about one story in one pass, none of which sees another.

Most of the cost of a short answer is reading the story, and one story answers up to 15 short questions. Here they share
a row: each question has columns of its own, whose positions continue those of the story and whose mask shows it the
story and itself. So the model computes for each question what it would if that were asked alone
(`tests/tiny/test_interviews.py`); the losses are those of `dgemma_viz.tiny.objective`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from dgemma_viz.tiny.batches import TRAINING_STREAM, Bucket, Draw, add_noise, noise_levels
from dgemma_viz.tiny.losses import denoising_loss, next_token_loss
from dgemma_viz.tiny.tasks.story import Story
from dgemma_viz.tiny.vocabulary import EOS_ID, PAD_ID
from dgemma_viz.upstream.transformers import CACHE


@dataclass(frozen=True, slots=True)
class Interviews:
    """One batch. B stories in S columns, K questions with their answers in L columns each, canvases of C tokens.

    Attributes
    ----------
    tokens
        (B, S + K*L) the story, padded on the left; then each question, its answer and EOS, padded on the right.
    is_token
        (B, S + K*L) false on padding.
    supervised
        (B, S + K*L) true on the answers and their EOS.
    asked
        (B, K) tokens of each question.
    clean, noised
        (B, K*C) the answers, filled up with EOS, and the same after noising; a story has one noise level.
    """

    tokens: NDArray[np.int64]
    is_token: NDArray[np.bool_]
    supervised: NDArray[np.bool_]
    asked: NDArray[np.int64]
    clean: NDArray[np.int64]
    noised: NDArray[np.int64]


def make_interviews(bucket: Bucket, tokenizer: Any, draw: Draw) -> Interviews:
    """Make the batch of a bucket for one step: `prompt_length` is S, `answer_length` L, `canvas_length` C."""
    rng = draw.generator(TRAINING_STREAM)
    start, block, canvas, questions = (
        bucket.prompt_length,
        bucket.answer_length,
        bucket.canvas_length,
        bucket.questions,
    )
    interviews = [Story().interview(rng, questions) for _ in range(bucket.examples)]
    stories = tokenizer([story for story, _ in interviews])["input_ids"]
    examples = [example for _, asked in interviews for example in asked]
    prompts = tokenizer([example.prompt for example in examples])["input_ids"]
    answers = tokenizer([example.answer for example in examples], add_special_tokens=False)["input_ids"]

    tokens = np.full((len(stories), start + questions * block), PAD_ID, dtype=np.int64)
    supervised = np.zeros(tokens.shape, dtype=bool)
    asked = np.zeros((len(stories), questions), dtype=np.int64)
    clean = np.full((len(stories), questions * canvas), EOS_ID, dtype=np.int64)
    for row, story in enumerate(stories):
        tokens[row, start - len(story) : start] = story
        for index in range(questions):
            prompt, answer = (texts[row * questions + index] for texts in (prompts, answers))
            question = prompt[len(story) :]
            first = start + index * block
            behind = first + len(question)
            tokens[row, first:behind] = question
            tokens[row, behind : behind + len(answer) + 1] = [*answer, EOS_ID]
            supervised[row, behind : behind + len(answer) + 1] = True
            asked[row, index] = len(question)
            clean[row, index * canvas : index * canvas + len(answer)] = answer
    noised = add_noise(clean, noise_levels(rng, len(stories), bucket.skew), rng)
    return Interviews(tokens, tokens != PAD_ID, supervised, asked, clean, noised)


def interview_losses(model: Any, batch: dict[str, torch.Tensor], bucket: Bucket) -> dict[str, torch.Tensor]:
    """Both losses of a batch, which holds the fields of `Interviews` by name.

    Raises
    ------
    ValueError
        Story, question and canvas do not fit into the sliding window, which the masks take for granted.
    """
    start, block, canvas = bucket.prompt_length, bucket.answer_length, bucket.canvas_length
    window = model.config.text_config.sliding_window
    if start + block + canvas > window:
        raise ValueError(f"Story, question and canvas take {start + block + canvas} columns; the window has {window}.")
    tokens, is_token, asked = batch["tokens"], batch["is_token"], batch["asked"]
    column = torch.arange(tokens.shape[1], device=tokens.device)
    owner = torch.where(column < start, -1, (column - start) // block)
    place = torch.where(column < start, column, start + (column - start) % block)
    related = (owner == -1) | (owner[:, None] == owner)
    causal = related & (column[:, None] >= column)
    seen = causal & is_token[:, None, None, :] | (column[:, None] == column)

    cache = DynamicCache()
    hidden = model.model.encoder(
        input_ids=tokens,
        attention_mask={"full_attention": seen, "sliding_attention": seen},
        position_ids=place[None],
        **{CACHE: cache},
    ).last_hidden_state

    answers = torch.arange(batch["noised"].shape[1], device=tokens.device) // canvas
    behind = start + asked[:, answers]
    own_question = (owner == answers[:, None]) & (place < behind[:, :, None])
    read = (own_question | (owner == -1)) & is_token[:, None, :]
    own_canvas = (answers[:, None] == answers).expand(len(tokens), -1, -1)
    masks = dict.fromkeys(("full_attention", "sliding_attention"), torch.cat([read, own_canvas], dim=-1)[:, None])
    position = behind + torch.arange(len(answers), device=tokens.device) % canvas
    return {
        "denoising": denoising_loss(model, cache, batch["noised"], batch["clean"], masks, position),
        "next token": next_token_loss(model, hidden, tokens, batch["supervised"], start),
    }
