"""Logits of one step to the numbers per position that a comparison keeps, on the device where the logits are.

Entropies and accepted sets are made as upstream makes them (:mod:`dgemma_viz.recorders.reduce`), for both models in the
same way, so equal logits give equal decisions. Differences are taken in pieces of rows, so that temporaries stay small
beside the logits themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dgemma_viz.analysis.drift import binned_divergence
from dgemma_viz.analysis.parity_tables import Drift
from dgemma_viz.recorders.reduce import accepted_by_rule, best_of, entropy_of, first_best, spans
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Reading:
    """What one model's logits say: ``draft``, ``entropy`` and ``accepted``, ``(B, C)`` each."""

    draft: torch.Tensor
    entropy: torch.Tensor
    accepted: torch.Tensor


def read(processed: torch.Tensor, bound: float) -> Reading:
    """Draft, entropy and accepted set of logits after temperature, ``(B, C, V)``; without a bound all are accepted."""
    entropy = entropy_of(processed)
    accepted = accepted_by_rule(entropy, bound) if math.isfinite(bound) else torch.ones_like(entropy, dtype=torch.bool)
    return Reading(first_best(processed), entropy, accepted)


def differences(raw: tuple[torch.Tensor, torch.Tensor], processed: tuple[torch.Tensor, torch.Tensor]) -> Drift:
    """How far the second model's logits are from the first's: ``(B, C)`` each, on the host.

    Parameters
    ----------
    raw
        Logits before temperature, ``(B, C, V)`` float32, of A and of B, on one device.
    processed
        The same after temperature.
    """
    shape, vocabulary = raw[0].shape[:-1], raw[0].shape[-1]
    a, b, heated_a, heated_b = (logits.reshape(-1, vocabulary) for logits in (*raw, *processed))
    parts = [_of_rows(a[rows], b[rows], heated_a[rows], heated_b[rows]) for rows in spans(a, least=1)]
    names = [field.name for field in fields(Drift)]
    values = (torch.cat(column).reshape(shape).cpu().numpy() for column in zip(*parts, strict=True))
    return Drift(**dict(zip(names, values, strict=True)))


def _of_rows(
    a: torch.Tensor, b: torch.Tensor, heated_a: torch.Tensor, heated_b: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    apart = (b - a).abs()
    best, _, _ = best_of(a, 2)
    drafts = [first_best(logits)[:, None] for logits in (heated_a, heated_b)]
    lead_a, lead_b = (logits.gather(-1, drafts[0]) - logits.gather(-1, drafts[1]) for logits in (a, b))
    return (
        apart.amax(dim=-1),
        apart.mean(dim=-1),
        apart.square().mean(dim=-1).sqrt(),
        divergence(heated_a, heated_b),
        best[:, 0] - best[:, 1],
        lead_a[:, 0],
        (lead_a - lead_b)[:, 0],
    )


def divergence(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """KL(a ‖ b) of logits ``(..., V)``, nats ``(...)``; rounding below 0 is 0."""
    log_a, log_b = (torch.log_softmax(logits, dim=-1) for logits in (a, b))
    return (log_a.exp() * (log_a - log_b)).sum(dim=-1).clamp(min=0)


def differences_from_record(trace: Trace, steps: Array, raw: torch.Tensor, processed: torch.Tensor) -> Drift:
    """As :func:`differences`, where A's logits are not at hand: from the alternatives that the trace keeps.

    The divergence is then a lower bound (:mod:`dgemma_viz.analysis.drift`), margins and leads come from probabilities
    in 16 bits, and the logits' drift is not known. ``steps`` is the step of each position, ``(B, C)``.
    """
    at = (steps, *np.indices(steps.shape))
    ids, known = trace.top_k_ids[at], trace.top_k_probabilities[at].astype(float)
    device = processed.device
    chosen = torch.tensor(ids, dtype=torch.long, device=device)
    theirs = torch.log_softmax(processed, dim=-1).gather(-1, chosen).exp().cpu().numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = trace.temperature[steps][..., None] * np.log(known)
        margin = logits[..., 0] - logits[..., 1] if ids.shape[-1] > 1 else np.full(ids.shape[:-1], np.nan)
        draft_b = first_best(processed)
        held = ids == draft_b.cpu().numpy()[..., None]
        lead = np.where(held.any(axis=-1), logits[..., 0] - np.where(held, logits, 0.0).sum(axis=-1), np.nan)
    draft_a = torch.tensor(trace.draft[at], dtype=torch.long, device=device)
    left = (raw.gather(-1, draft_a[..., None]) - raw.gather(-1, draft_b[..., None]))[..., 0].cpu().numpy()
    unknown = np.full(margin.shape, np.nan)
    return Drift(
        largest=unknown,
        mean=unknown,
        rms=unknown,
        kl=binned_divergence(ids, known, ids, theirs),
        margin=np.where(np.isfinite(margin), margin, np.nan),
        lead=np.where(np.isfinite(lead), lead, np.nan),
        taken=np.where(np.isfinite(lead), lead - left, np.nan),
    )
