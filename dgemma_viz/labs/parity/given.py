"""Logits that another runtime made of the recorded canvases, handed over as arrays and judged before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.parity.passes import Output
from dgemma_viz.trace.model import Trace


def is_given(what: Any) -> bool:
    """Whether these are arrays, or a sequence of them, and no model."""
    if isinstance(what, np.ndarray | torch.Tensor):
        return what.ndim > 0
    return isinstance(what, Sequence) and not isinstance(what, str | bytes)


class GivenLogits:
    """One array for each step, or for each canvas of a causal run.

    Parameters
    ----------
    arrays
        ``(S, B, C, V)``, or a sequence of ``S`` arrays ``(B, C, V)``; for one sample ``(C, V)`` each will do. Logits
        before temperature, of numpy, torch, or whatever ``numpy.asarray`` takes.
    trace
        Whose steps they are of.
    causal
        Whether the arrays are of canvases, not of steps.

    Raises
    ------
    SettingError
        Another number of steps, another shape, another vocabulary; or values that are not finite.
    """

    def __init__(self, arrays: Any, trace: Trace, *, causal: bool = False) -> None:
        wanted, what = (len(trace.emitted), "canvases") if causal else (trace.n_steps, "steps")
        if len(arrays) != wanted:
            raise SettingError(
                f"logits are given for {len(arrays)} {what}, and the trace has {wanted}: one array for each"
            )
        self._arrays, self._trace, self._causal = arrays, trace, causal
        for index in range(wanted):
            self._check(index)

    def outputs(self) -> Iterator[Output]:
        """Of each canvas of a causal run."""
        for canvas in range(len(self._arrays)):
            yield Output(self.logits(canvas))

    def logits(self, step: int) -> torch.Tensor:
        """Of one step, float32 ``(B, C, V)`` on the host."""
        values = self._arrays[step]
        tensor = values.detach().cpu() if isinstance(values, torch.Tensor) else torch.from_numpy(np.array(values))
        return tensor.float().reshape(self._wanted)

    @property
    def _wanted(self) -> tuple[int, int, int]:
        trace = self._trace
        return trace.n_samples, trace.canvas_length, trace.facts.vocab_size

    def _check(self, step: int) -> None:
        values, wanted = self._arrays[step], self._wanted
        what = "canvas" if self._causal else "step"
        shape = tuple(np.shape(values))
        if shape != wanted and not (shape == wanted[1:] and wanted[0] == 1):
            raise SettingError(
                f"the logits of {what} {step} have shape {shape}; wanted are {wanted}: samples, positions of the "
                "canvas, tokens of the vocabulary"
            )
        kind = str(values.dtype) if isinstance(values, torch.Tensor) else np.asarray(values).dtype.name
        if not kind.removeprefix("torch.").startswith(("float", "bfloat", "int", "uint")):
            raise SettingError(f"the logits of {what} {step} are of type {kind}: wanted are real numbers")
        place = int(np.flatnonzero(self._trace.canvas == step)[-1]) if self._causal else step
        check_finite(self.logits(step), self._trace, place, "the logits that were given")


def check_finite(logits: torch.Tensor, trace: Trace, step: int, whose: str) -> None:
    """Raise SettingError at the first value of an active sample that is NaN or infinite."""
    active = torch.tensor(trace.active[step], device=logits.device)
    wrong = ~torch.isfinite(logits).all(dim=-1) & active[:, None]
    if wrong.any():
        sample, position = (int(one) for one in wrong.nonzero()[0])
        raise SettingError(
            f"{whose} are not finite in canvas {trace.canvas[step]}, step {trace.step_in_canvas[step]}, sample "
            f"{sample}, position {position}: nothing can be compared with NaN or infinity. Look for that fault first"
        )
