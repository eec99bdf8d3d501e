"""Tokens that logits processors left no probability, told from those that the model itself holds for impossible.

A processor bans a token with -inf, or with a number that comes to the same, such as -1e9, or by raising all others. No
model's own logits lie so far apart: released ones are capped at 30, so that two of them differ by at most 60, and at
the lowest temperature by 150. A token counts as ruled out where it lies :data:`_FAR` below the best, temperature taken
out. That costs one comparison of the logits and is done only in calls that have processors besides temperatures.

Processors that cut off what is improbable (top-k, top-p and their kind) rule out most tokens of every step, but never
the model's own draft, and say nothing that the probabilities had not said. In their presence, tokens count as ruled out
only at positions where the model's draft is one of them, which they cannot have done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper

from dgemma_viz.recorders.reduce import first_best, spans
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.upstream.transformers import LinearTemperatureScheduleLogitsProcessor

_FAR = 1000.0
"""Nats, before temperature."""
_TEMPERATURES = (LinearTemperatureScheduleLogitsProcessor, TemperatureLogitsWarper)
_CUTTING = frozenset(
    {
        "EpsilonLogitsWarper",
        "EtaLogitsWarper",
        "MinPLogitsWarper",
        "TopHLogitsWarper",
        "TopKLogitsWarper",
        "TopPLogitsWarper",
        "TypicalLogitsWarper",
    }
)


def may_rule_out(processors: Iterable[Any]) -> bool:
    """Whether any of a call's processors could do more than divide by a temperature, or cut off the improbable.

    A list of a class of its own may do anything, as that of pinned tokens does (:mod:`dgemma_viz.labs.interventions`).
    """
    return type(processors) is not LogitsProcessorList or any(
        type(one) not in _TEMPERATURES and type(one).__name__ not in _CUTTING for one in processors
    )


def cuts_off(processors: Iterable[Any]) -> bool:
    """Whether any of them cuts off what is improbable."""
    return any(type(one).__name__ in _CUTTING for one in processors)


class SeenBefore(LogitsProcessorList):  # type: ignore[misc]
    """A call's processors, and a look at the logits before the first of them runs.

    The caller's own list does the work and stays as it is: other threads may be using it.
    """

    def __init__(self, processors: LogitsProcessorList, see: Callable[[torch.Tensor], None]) -> None:
        super().__init__(processors)
        self._processors, self._see = processors, see

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """What the caller's list gives."""
        self._see(scores)
        result: torch.Tensor = self._processors(input_ids, scores, **kwargs)
        return result


def own_draft(logits: torch.Tensor) -> torch.Tensor:
    """Argmax ``(B, C)`` of logits ``(B, C, V)`` that no processor has touched; some edit them in place."""
    with torch.no_grad():
        return first_best(logits)


def ruled_out(logits: torch.Tensor, own: torch.Tensor, temperature: float, *, cut_off: bool) -> dict[str, torch.Tensor]:
    """``banned`` and ``banned_draft``, each ``(B, C)``, see :data:`dgemma_viz.trace.schema.RULED_OUT`.

    Parameters
    ----------
    logits
        What the processors left, ``(B, C, V)``.
    own
        What :func:`own_draft` gave before.
    temperature
        What they divided by; NaN if that is not known.
    cut_off
        Whether one of them cuts off what is improbable.
    """
    far = _FAR / temperature if math.isfinite(temperature) and temperature > 0 else _FAR
    rows, drafts = logits.reshape(-1, logits.shape[-1]), own.reshape(-1, 1)
    with torch.no_grad():
        parts = [_of_rows(rows[span], drafts[span], far, cut_off) for span in spans(rows, least=1)]
        banned, lost = (torch.cat(both) for both in zip(*parts, strict=True))
        nothing = torch.full_like(drafts[:, 0], UNKNOWN_TOKEN)
        return {
            "banned": banned.reshape(own.shape),
            "banned_draft": torch.where(lost, drafts[:, 0], nothing).reshape(own.shape),
        }


def _of_rows(rows: torch.Tensor, drafts: torch.Tensor, far: float, cut_off: bool) -> tuple[torch.Tensor, torch.Tensor]:
    greatest = rows.amax(dim=-1, keepdim=True)
    limit = torch.where(greatest.isfinite(), greatest - far, -torch.inf)  # without a distribution, nothing is ruled out
    banned = (rows < limit).sum(dim=-1, dtype=torch.int32)
    lost = (rows.gather(-1, drafts) < limit)[:, 0]
    return (torch.where(lost, banned, 0) if cut_off else banned), lost
