"""A decoder whose logits are not its own.

They are changed around ``model.forward``, which in ``generate()`` only the decoder's pass goes through (the encoder is
called apart), so temperature, sampler, stop rule and recorder all see the same. An edit that needs randomness draws it
from a generator of its own: the run's own draws stay those of its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dgemma_viz.labs.sabotage.fault import Fault, Plant
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import PREPARE_CANVAS

if TYPE_CHECKING:
    import torch

    EditLogits = Callable[[Any, torch.Tensor, int], torch.Tensor]

_FORCE = 50.0
"""Added to a raw logit to make a token certain: raw logits are soft-capped at 30."""
_EARLY_END = 6
"""Position from which the end token is forced: inside most answers of the bundled model, after a few tokens of text."""
_STRAY_END = 2
_NOISE = 8.0
"""Standard deviation of the noise on the logits: a fair part of their range of 60."""
_NAN_STEP, _NAN_POSITION = 1, 3


def edited_logits(edit: EditLogits) -> Plant:
    """A plant that passes the decoder's raw logits through ``edit(model, logits, step)``.

    ``logits`` is a copy ``(B, C, V)`` that may be changed in place; ``step`` counts the decoder's passes on the current
    canvas from 0.
    """

    @contextmanager
    def plant(model: Any) -> Iterator[None]:
        steps = _StepCounter()

        def forward(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            output = original(*args, **kwargs)
            output.logits = edit(model, output.logits.clone(), steps.next())
            return output

        with InstanceHooks() as hooks:
            hooks.wrap(model, PREPARE_CANVAS, steps.restart)
            hooks.wrap(model, "forward", forward)
            yield

    return plant


class _StepCounter:
    """Counts the decoder's passes on a canvas."""

    def __init__(self) -> None:
        self._count = 0

    def restart(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Around the call with which ``generate()`` begins a canvas."""
        self._count = 0
        return original(*args, **kwargs)

    def next(self) -> int:
        """Index of the pass that just ran."""
        self._count += 1
        return self._count - 1


def _end_ids(model: Any) -> list[int]:
    ids = model.generation_config.eos_token_id
    return list(ids) if isinstance(ids, list | tuple) else [ids]


def end_at_once(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Prefer the end token everywhere."""
    del step
    logits[..., _end_ids(model)] += _FORCE
    return logits


def end_early(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Text as the model wants it in the first step, then the end token from a position on."""
    if step:
        logits[:, _EARLY_END:, _end_ids(model)] += _FORCE
    return logits


def stray_end(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Prefer the end token at one early position."""
    del step
    logits[:, _STRAY_END, _end_ids(model)] += _FORCE
    return logits


def no_end(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Forbid end and padding tokens."""
    del step
    logits[..., [*_end_ids(model), model.generation_config.pad_token_id]] = float("-inf")
    return logits


def padding(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Prefer padding everywhere."""
    del step
    logits[..., model.generation_config.pad_token_id] += _FORCE
    return logits


def loop(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """Three tokens in turn: the last ones of the vocabulary, which any model has."""
    del model, step
    import torch

    positions = torch.arange(logits.shape[1])
    logits[:, positions, logits.shape[-1] - 1 - positions % 3] += _FORCE
    return logits


def nan_once(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
    """NaN at one position of one step."""
    del model
    if step == _NAN_STEP:
        logits[:, _NAN_POSITION] = float("nan")
    return logits


@contextmanager
def noisy_logits(model: Any) -> Iterator[None]:
    """Add fresh noise to the logits of each pass."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def add_noise(model: Any, logits: torch.Tensor, step: int) -> torch.Tensor:
        del model, step
        noise = torch.randn(logits.shape, generator=generator)
        return logits + _NOISE * noise.to(logits)

    with edited_logits(add_noise)(model):
        yield


FAULTS: tuple[Fault, ...] = (
    Fault(
        "ends-at-once",
        "End token preferred everywhere",
        "The answer is empty.",
        "Deveraux-Parker/diffusiongemma-fieldguide: empty answers to 'reply with ONLY the number'",
        edited_logits(end_at_once),
    ),
    Fault(
        "ends-early",
        "End token preferred after a few tokens",
        "From the second step on, drafted text gives way to the end token.",
        "arXiv 2605.28181 (overconfidence in the end token)",
        edited_logits(end_early),
    ),
    Fault(
        "stray-end",
        "End token in the middle of the text",
        "One early position is the end token while the text goes on behind it.",
        "arXiv 2605.28181 (overconfidence in the end token)",
        edited_logits(stray_end),
    ),
    Fault(
        "no-end",
        "End token forbidden",
        "The answer never ends: text fills all canvases.",
        "a tail that never settles without end tokens in training (peers' issue trackers)",
        edited_logits(no_end),
    ),
    Fault(
        "padding",
        "Padding preferred everywhere",
        "The canvas fills with padding, as if its logits were broken.",
        "vllm#47424",
        edited_logits(padding),
    ),
    Fault(
        "loop",
        "The same three tokens over and over",
        "A preference for three tokens in turn, at every position.",
        "LLaDA#59 (repetition)",
        edited_logits(loop),
    ),
    Fault(
        "nan-logits",
        "NaN logits at one position of the second step",
        "transformers fails in torch.multinomial; other runtimes go on with a broken canvas.",
        "vllm#47424",
        edited_logits(nan_once),
    ),
    Fault(
        "noisy-logits",
        "Noise on the logits",
        "Fresh noise at each step: drafts go back and forth.",
        "arXiv 2508.09138 (temporal oscillation)",
        noisy_logits,
    ),
)
