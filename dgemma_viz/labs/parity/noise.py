"""The random numbers of a recorded run, drawn once more: the same candidate noise and re-noise tokens, for any logits.

transformers' loop draws, in this order: a canvas of random tokens; in each step one candidate for each position
(``torch.multinomial``, which takes as many numbers whatever the probabilities are), and a canvas of random tokens. From
the recorded state of the generator the same numbers come again, and the state before ``multinomial`` makes another
model's candidates from the same noise. Whether they really are the recorded ones is checked against each canvas that
was recorded: a single token that differs, and the noise counts as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dgemma_viz.trace.model import Trace


class RecordedNoise:
    """Draws the numbers of a trace, step by step, in order.

    Parameters
    ----------
    trace
        Of transformers' loop.

    Attributes
    ----------
    why
        Why the noise is not known, as the end of a sentence; empty as long as it is.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace, self.why = trace, ""
        self._generator: torch.Generator | None = None
        if trace.generator_state is None:
            self.why = "the trace holds no state of the random generator"
            return
        device = trace.facts.device.partition(":")[0] or "unknown"
        if device == "cpu" or (device == "cuda" and torch.cuda.is_available()):
            self._generator = torch.Generator(device)
            try:
                self._generator.set_state(torch.from_numpy(trace.generator_state.copy()))
            except (RuntimeError, TypeError):
                self.why = "the recorded state of the random generator is none of this version of torch"
        else:
            self.why = f"the run was recorded on {device}, whose random numbers are not to be had here"

    @property
    def known(self) -> bool:
        """Whether all that was drawn so far is what was recorded."""
        return not self.why

    def begin_canvas(self, step: int) -> None:
        """Draw the canvas that the first step of a canvas reads."""
        if self.known:
            self._compare(self._tokens(), step, np.ones(self._trace.noised.shape[1:], dtype=bool))

    def candidates(self, processed: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Candidates ``(B, C)`` from each of several logits ``(B, C, V)``, all from the same noise; unknown: none."""
        if not self.known or self._generator is None:
            return []
        before, drawn = self._generator.get_state(), []
        for logits in processed:
            self._generator.set_state(before)
            probabilities = torch.softmax(logits.to(self._generator.device), dim=-1, dtype=torch.float32)
            flat = torch.multinomial(probabilities.flatten(0, -2), num_samples=1, generator=self._generator)
            drawn.append(flat.view(logits.shape[:-1]))
        return drawn

    def renoise(self, step: int) -> None:
        """Draw the tokens that replace what a step did not accept, and hold them against what the next step read."""
        if not self.known:
            return
        drawn, after = self._tokens(), step + 1
        if after < self._trace.n_steps and self._trace.canvas[after] == self._trace.canvas[step]:
            self._compare(drawn, after, ~self._trace.accepted[step] & self._trace.active[after][:, None])

    def contradicted(self, why: str) -> None:
        """What was drawn is not what was recorded."""
        self.why = self.why or why

    def _tokens(self) -> torch.Tensor:
        size = self._trace.noised.shape[1:]
        generator = self._generator
        assert generator is not None  # noqa: S101 - asked for while known
        return torch.randint(self._trace.facts.vocab_size, size, generator=generator, device=generator.device)

    def _compare(self, drawn: torch.Tensor, step: int, where: np.ndarray) -> None:
        if (drawn.cpu().numpy() != self._trace.noised[step])[where].any():
            self.contradicted("what was drawn again is not what was recorded, so other numbers were drawn between")
