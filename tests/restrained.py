"""Real calls of the bundled model in which the caller gives, forces or forbids tokens."""

from functools import cache

import numpy as np
import torch
from transformers import LogitsProcessor, LogitsProcessorList, SuppressTokensLogitsProcessor

import dgemma_viz as dv
from dgemma_viz.tiny import encode_prompt
from tests.conformance.conftest import UNSURE

PROMPT = "list Tom: (a) red boat (b) pink lamp (c) white doll (d) pink bike (e) green doll (f) white boat (g) gold book"
HOLE = slice(3, 9)
"""Positions that infilling leaves open."""


class Clamp(LogitsProcessor):
    """Leaves one token at each of some positions."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __call__(self, _input_ids, scores):
        scores = scores.clone()
        for position, token in self.tokens.items():
            scores[:, position] = -torch.inf
            scores[:, position, token] = 0
        return scores


@cache
def tiny():
    return dv.load_tiny()


@cache
def plain(seed=0):
    return recorded(seed=seed)


def recorded(*processors, seed=0, prompt=PROMPT, **arguments):
    """One canvas, watched."""
    model, tokenizer = tiny()
    length = model.config.canvas_length
    given = {"logits_processor": LogitsProcessorList(processors)} if processors else {}
    with dv.record(model, tokenizer) as recording:
        torch.manual_seed(seed)
        model.generate(**encode_prompt(tokenizer, prompt), **given, **{"max_new_tokens": length, **arguments})
    return recording.trace


def suppressing(seed=0, **arguments):
    """Bans what begins the answer otherwise, and another of its tokens."""
    answer = plain(seed).emitted[0, 0]
    return recorded(SuppressTokensLogitsProcessor([int(answer[0]), int(answer[4])]), seed=seed, **arguments)


def infilled(seed=0, **arguments):
    """Every token of an answer given and held but those of a hole, which begin as noise."""
    answer = np.array(plain(seed).emitted[0, 0])
    size = plain(seed).facts.vocab_size
    first = torch.tensor(answer[None], dtype=torch.long)
    first[:, HOLE] = torch.randint(size, (1, HOLE.stop - HOLE.start), generator=torch.Generator().manual_seed(seed))
    held = {place: int(token) for place, token in enumerate(answer) if not HOLE.start <= place < HOLE.stop}
    return recorded(Clamp(held), seed=seed, decoder_input_ids=first, **arguments)


def forced(seed=0, **arguments):
    """Two positions forced to tokens that the model would not put there."""
    answer = plain(seed).emitted[0, 0]
    return recorded(Clamp({2: int(answer[4]), 6: int(answer[1])}), seed=seed, **arguments)


def warm(make, seed=0):
    """A run with much re-noised."""
    return make(seed, **UNSURE)
