"""Tokens a second of three ways of decoding, and where they cross."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dgemma_viz.costs.acceptance import Acceptance, known_acceptance
from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.memory import check_fits
from dgemma_viz.costs.passes import SAMPLER_PASSES, canvas_pass, decode_pass, verify_pass
from dgemma_viz.costs.roofline import Efficiency, StepTime, step_time
from dgemma_viz.costs.shape import ModelShape
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range

_MILLI = 1e3


@dataclass(frozen=True)
class Speed:
    """How fast one way of decoding is.

    Attributes
    ----------
    step
        Time of one pass.
    passes_per_unit
        Passes for one unit of output: 1, or the passes of a canvas.
    tokens_per_unit
        Tokens of all sequences that a unit brings, on average.
    batch
        Sequences.
    """

    step: StepTime
    passes_per_unit: float
    tokens_per_unit: float
    batch: int

    @property
    def milliseconds_per_unit(self) -> float:
        """Of a token of each sequence, of a verified draft, or of a canvas."""
        return self.passes_per_unit * self.step.total

    @property
    def tokens_per_second(self) -> float:
        """Of all sequences together."""
        return _MILLI * self.tokens_per_unit / self.milliseconds_per_unit

    def milliseconds_for(self, tokens: int) -> float:
        """Time of an answer of so many tokens in each sequence; units are paid whole."""
        per_sequence = self.tokens_per_unit / self.batch
        return math.ceil(checked_range("tokens", tokens, 1, whole=True) / per_sequence) * self.milliseconds_per_unit


def autoregressive(
    shape: ModelShape,
    weights: WeightFormat,
    hardware: Hardware,
    efficiency: Efficiency,
    *,
    batch: int = 1,
    context: float = 0,
) -> Speed:
    """One token a pass for each sequence.

    Raises
    ------
    SettingError
        A number is impossible, or the model does not fit.
    """
    check_fits(shape, weights, hardware, batch=batch, context=context)
    one = decode_pass(shape, weights, batch=batch, context=context)
    return Speed(step_time(one, hardware, weights, efficiency), 1.0, batch, batch)


def drafting(  # noqa: PLR0913 - every term is a number of its own
    shape: ModelShape,
    weights: WeightFormat,
    hardware: Hardware,
    efficiency: Efficiency,
    acceptance: Acceptance,
    *,
    draft_milliseconds: float = 0.0,
    batch: int = 1,
    context: float = 0,
) -> Speed:
    """Multi-token prediction: ``k`` drafted tokens are verified in one pass, and one more comes with it.

    ``1 + sum_j a_j`` tokens a pass, ``a_j`` the share of all drafts that is accepted at position ``j``
    (:mod:`dgemma_viz.costs.acceptance`).

    Parameters
    ----------
    shape, weights, hardware, efficiency, batch, context
        As for :func:`autoregressive`.
    acceptance
        Of the drafted tokens, which says how many there are.
    draft_milliseconds
        Of one drafted token.

    Raises
    ------
    SettingError
        A number is impossible, or the model does not fit; or the acceptance is bare numbers, of which nobody knows
        whether they hold for all drafts.
    """
    tokens = known_acceptance(acceptance).tokens_a_pass
    check_fits(shape, weights, hardware, batch=batch, context=context)
    one = verify_pass(shape, weights, drafted=acceptance.drafted, batch=batch, context=context)
    step = step_time(one, hardware, weights, efficiency)
    drafted = acceptance.drafted * checked_range("the time of a draft", draft_milliseconds)
    return Speed(StepTime(step.overhead + drafted, step.reading, step.computing), 1.0, batch * tokens, batch)


def diffusion(  # noqa: PLR0913 - every term is a number of its own
    shape: ModelShape,
    weights: WeightFormat,
    hardware: Hardware,
    efficiency: Efficiency,
    *,
    steps: float,
    commits: float = 1.0,
    batch: int = 1,
    context: float = 0,
    useful: float | None = None,
    sampler_passes: float = SAMPLER_PASSES,
) -> Speed:
    """A whole canvas in ``steps`` denoising steps, and the encoder pass that commits it.

    Parameters
    ----------
    shape, weights, hardware, efficiency, batch, context
        As for :func:`autoregressive`.
    steps
        Denoising steps of a canvas, on average.
    commits
        Encoder passes of a canvas, each counted like a denoising step.
    useful
        Tokens of a canvas that belong to the answer; None for all.
    sampler_passes
        See :func:`~dgemma_viz.costs.passes.canvas_pass`.

    Raises
    ------
    SettingError
        A number is impossible, or the model does not fit with the canvas buffers of so many users.
    """
    check_fits(shape, weights, hardware, batch=batch, context=context, canvas=True)
    one = canvas_pass(shape, weights, batch=batch, context=context, sampler_passes=sampler_passes)
    passes = checked_range("steps", steps, ends="(]") + checked_range("commits", commits)
    tokens = shape.canvas if useful is None else min(shape.canvas, checked_range("useful tokens", useful, ends="(]"))
    return Speed(step_time(one, hardware, weights, efficiency), passes, batch * tokens, batch)


def break_even(one_canvas: Speed, token_by_token: Speed) -> float:
    """Tokens of an answer from which one canvas is the faster way: ``S * t_DG / t_AR``.

    Shorter answers are quicker token by token. Above the canvas's length it has no meaning: then no answer that fits
    into one canvas is quicker by diffusion.
    """
    per_token = token_by_token.milliseconds_per_unit * token_by_token.batch / token_by_token.tokens_per_unit
    return one_canvas.milliseconds_per_unit / per_token
