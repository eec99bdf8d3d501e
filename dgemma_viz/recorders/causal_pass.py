"""The passes of one causal ``generate()`` call: what each predicted, and what of it was used.

A pass ends without telling what it led to. The next one does: its context holds the tokens that were kept. So the
scores of one pass, ``(B, m, V)``, are held until then, and reduced with the tokens that were really taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from dgemma_viz.recorders.best import first_best
from dgemma_viz.recorders.host_copy import HostCopies
from dgemma_viz.recorders.reduce import DTYPES, reduce_logits
from dgemma_viz.recorders.run_buffer import Run


@dataclass(frozen=True)
class Pass:
    """One decoder pass; ``m`` positions were predicted, and the first ``used`` of the predictions were taken.

    Attributes
    ----------
    begin
        Tokens, prompt included, before the first predicted position.
    used
        Tokens that the pass added to the output.
    read
        Drafted tokens that it read at the predicted positions but the last, ``(B, m - 1)``.
    values
        Arrays of the schema, ``(B, m)``: candidate, draft, entropy, confidence, candidate_probability, ``(B, m, K)``:
        top_k_ids and top_k_probabilities. The candidate of a prediction that was not taken is its draft.
    wall_time
        Seconds from the start of the run.
    """

    begin: int
    used: int
    read: torch.Tensor
    values: dict[str, torch.Tensor]
    wall_time: float


@dataclass
class _Open:
    """A pass that still predicts, or of which it is not known yet what was used."""

    rows: int
    """Positions that it may predict."""
    begin: int = 0
    context: torch.Tensor | None = None
    """Tokens before the last prediction, drafted ones included, ``(B, n)``."""
    scores: list[torch.Tensor] = field(default_factory=list)
    """Processed logits ``(B, V)``."""
    wall_time: float = 0.0

    def close(self, tokens: torch.Tensor, top_k: int, copies: HostCopies) -> Pass:
        """The pass, now that the tokens up to the next one, ``(B, n)``, are known."""
        assert self.context is not None  # noqa: S101 - it has predicted
        scores = torch.stack(self.scores, dim=1).float()
        draft = first_best(scores)
        used = min(int(tokens.shape[1]) - self.begin, len(self.scores))
        candidate = draft.clone()
        candidate[:, :used] = tokens[:, self.begin : self.begin + used].to(draft.device)
        reduced = reduce_logits(scores, candidate, top_k)
        values = {name: copies.take(reduced[name], dtype) for name, dtype in DTYPES.items()}
        values |= {"candidate": copies.take(candidate, torch.int32), "draft": copies.take(draft, torch.int32)}
        read = copies.take(self.context[:, self.begin :], torch.int32)
        return Pass(self.begin, used, read, values, self.wall_time)


@dataclass
class CausalRun(Run):
    """One call. Its steps are made when it has ended, since only then the length of its output is known."""

    top_k: int = 8
    passes: list[Pass] = field(default_factory=list)
    output: torch.Tensor | None = None
    """Prompt and new tokens as far as they are known, on the host, ``(B, P + L)``."""
    drafter_forwards: int = 0
    _current: _Open | None = None
    _before: _Open | None = None

    def begin_pass(self, rows: int) -> None:
        """A pass ran that may predict at so many positions."""
        if self._current is not None and self._current.scores:
            self._before = self._current
        self._current = _Open(rows)

    def predicts(self, context: torch.Tensor, scores: torch.Tensor) -> None:
        """A prediction after ``context``, ``(B, n)``, or a question of a candidate generator, which is none."""
        now, length = self._current, int(context.shape[1])
        if now is None or len(now.scores) == now.rows or (now.scores and length != now.begin + len(now.scores)):
            return
        if not now.scores:
            now.begin = length
            self._close(context)
            if self.prompt is None:
                real = torch.ones_like(context, dtype=torch.bool)
                self.prompt = (self.copies.take(context, torch.int32), self.copies.take(real, torch.bool))
        now.context = context
        now.scores.append(scores.detach())
        now.wall_time = time.perf_counter() - self.start_time

    def ends_with(self, sequences: torch.Tensor) -> None:
        """Prompt and output as the call returned them, ``(B, P + L)``."""
        self._before, self._current = self._current, None
        self._close(sequences)

    def _close(self, tokens: torch.Tensor) -> None:
        """The pass before led to these tokens."""
        if self._before is not None and self._before.scores:
            self.passes.append(self._before.close(tokens, self.top_k, self.copies))
            self.output = self.copies.take(tokens, torch.int32)
        self._before = None
