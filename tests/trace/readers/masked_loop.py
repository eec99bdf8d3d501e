"""A loop of the bundled mask-token model in the shape of the public ones, which keeps what their writers keep."""

from dataclasses import dataclass

import numpy as np
import torch

import dgemma_viz as dv
from dgemma_viz.labs.prompts import encode
from dgemma_viz.trace import Trace

LENGTH = 32
PROMPT = "sudoku 234_/_1__/__2_/3__4="


@dataclass
class Kept:
    """What one run leaves behind, and its recorded trace."""

    prompt: np.ndarray
    mask: int
    tokenizer: object
    before: np.ndarray
    """Whole sequences before the first step and after each, ``(T + 1, 1, L)``."""
    proposed: np.ndarray
    """``(T, 1, L)``."""
    trace: Trace

    @property
    def final(self) -> np.ndarray:
        return self.before[-1, 0, self.prompt.shape[1] :]

    @property
    def step_map(self) -> np.ndarray:
        """Step at which each position of the answer was revealed, from 0."""
        answer = self.before[1:, 0, self.prompt.shape[1] :]
        return (answer == self.mask).sum(axis=0)


def run_masked(per_step: int = 4) -> Kept:
    """LLaDA's loop: the surest positions, at temperature 0."""
    model, tokenizer = dv.load_tiny("masked")
    prompt, mask = encode(tokenizer, PROMPT)["input_ids"], tokenizer.mask_token_id
    start = prompt.shape[1]
    x = torch.cat([prompt, torch.full((1, LENGTH), mask)], dim=1)
    recorder = dv.Recorder(tokenizer, prompt=prompt, mask_token_id=mask)
    states, proposed = [x.numpy().copy()], []
    while (x == mask).any():
        with torch.no_grad():
            logits = model(x).logits
        confidence, x0 = logits.softmax(-1).max(-1)
        x0 = torch.where(x == mask, x0, x)
        best = confidence.masked_fill(x != mask, -1).topk(per_step).indices
        after = x.scatter(1, best, x0.gather(1, best))
        recorder.step(noised=x[:, start:], logits=logits[:, start:], candidate=x0[:, start:])
        x = after
        states.append(x.numpy().copy())
        proposed.append(x0.numpy())
    recorder.emit(x[:, start:])
    return Kept(prompt.numpy(), mask, tokenizer, np.stack(states), np.stack(proposed), recorder.trace)
