"""Time to the first token that a reader sees: the prompt is read, and then a token comes, or a whole canvas."""

from __future__ import annotations

from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.passes import Pass, Term, decode_pass
from dgemma_viz.costs.roofline import Efficiency, step_time
from dgemma_viz.costs.shape import ModelShape
from dgemma_viz.costs.speeds import Speed
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range


def prefill_pass(shape: ModelShape, weights: WeightFormat, *, prompt: int, batch: int = 1) -> Pass:
    """All prompts of a batch, read in one pass; the head serves the last token of each only.

    Attention among the prompt's tokens is left out: at the released model's sizes it adds a tenth at 10,000 tokens.
    """
    tokens = checked_range("a batch", batch, 1, whole=True) * checked_range("a prompt", prompt, 1, whole=True)
    plain = decode_pass(shape, weights, batch=tokens)
    flops = shape.flops_per_token * tokens - 2 * shape.head_weights * (tokens - batch)
    computes = (Term("layers", flops, f"{prompt} prompt tokens, head for the last one", "calc"),)
    return Pass(tokens, tuple(term for term in plain.reads if term.name != "key-value cache"), computes)


def time_to_first_token(
    shape: ModelShape,
    weights: WeightFormat,
    hardware: Hardware,
    efficiency: Efficiency,
    *,
    prompt: int,
    batch: int = 1,
    canvas: Speed | None = None,
) -> float:
    """Milliseconds until something can be read.

    Parameters
    ----------
    shape, weights, hardware, efficiency
        As for :func:`~dgemma_viz.costs.speeds.autoregressive`.
    prompt
        Tokens.
    canvas
        Of diffusion, whose first token is final with its whole canvas. None: the pass over the prompt gives it.

    Raises
    ------
    SettingError
        A number is impossible.
    """
    reading = step_time(prefill_pass(shape, weights, prompt=prompt, batch=batch), hardware, weights, efficiency).total
    return reading + (canvas.milliseconds_per_unit if canvas is not None else 0.0)
