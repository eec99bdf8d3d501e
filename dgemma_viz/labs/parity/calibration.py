"""What noise of a known size would do: the scale for a model's drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from dgemma_viz.analysis.parity_tables import CALIBRATION, LIKE_B
from dgemma_viz.labs.parity.readings import divergence, read
from dgemma_viz.recorders.reduce import spans

if TYPE_CHECKING:
    import pandas as pd

_COUNTED = ("positions", "draft_flips", "accepted_flips", "kl")


class NoiseScale:
    """Counts the flips that Gaussian noise on a model's logits makes, step by step.

    Parameters
    ----------
    levels
        Standard deviations, in logits before temperature.
    seed
        Of a generator of its own.
    """

    def __init__(self, levels: Sequence[float], seed: int) -> None:
        self._levels, self._seed = tuple(levels), seed
        self._generator: torch.Generator | None = None
        self._sums = {level: dict.fromkeys(_COUNTED, 0.0) for level in (*map(str, self._levels), LIKE_B)}
        self._of_b = dict.fromkeys(_COUNTED, 0.0)
        self._squares = 0.0

    def add(
        self,
        raw: torch.Tensor,
        heat: Callable[[torch.Tensor], torch.Tensor],
        bound: float,
        here: npt.NDArray[np.bool_],
        own: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]],
    ) -> None:
        """Disturb one step.

        Parameters
        ----------
        raw
            Logits before temperature, ``(B, C, V)``.
        heat
            Divides them by the step's temperature.
        bound
            Entropy bound of the step, nats; NaN for none.
        here
            Positions that count, ``(B, C)``.
        own
            What B did at the ``n`` positions that count, ``(n,)`` each: rms drift, whether the draft and
            whether the accepted set flips, KL.
        """
        rms, drafts, accepted, kl = own
        for name, values in zip(_COUNTED, (np.ones_like(drafts), drafts, accepted, kl), strict=True):
            self._of_b[name] += float(np.sum(values, dtype=float))
        self._squares += float(np.square(rms, dtype=float).sum())
        if not self._levels:
            return
        clean = heat(raw)
        before, mask = read(clean, bound), torch.tensor(here, device=raw.device)
        like_b = float(np.sqrt(np.square(rms, dtype=float).mean())) if len(rms) else float("nan")
        levels = [*zip(map(str, self._levels), self._levels, strict=True), (LIKE_B, like_b)]
        for name, level in levels:
            if np.isnan(level):
                continue
            disturbed = heat(raw + level * self._noise(raw)) if level else clean
            after, sums = read(disturbed, bound), self._sums[name]
            sums["positions"] += int(here.sum())
            sums["draft_flips"] += int(((before.draft != after.draft) & mask).sum())
            sums["accepted_flips"] += int(((before.accepted != after.accepted) & mask).sum())
            sums["kl"] += float(_divergences(clean, disturbed)[mask].sum())

    def table(self) -> pd.DataFrame:
        """:attr:`dgemma_viz.analysis.parity.Parity.calibration`."""
        import pandas as pd

        std = float(np.sqrt(self._squares / self._of_b["positions"])) if self._of_b["positions"] else float("nan")
        named = [("noise", level, self._sums[str(level)]) for level in self._levels]
        named.append(("B", std, self._of_b))
        if self._levels:
            named.append((LIKE_B, std, self._sums[LIKE_B]))
        rows = []
        for what, size, sums in named:
            count = sums["positions"]
            whole = {name: int(sums[name]) for name in _COUNTED[:3]}
            rows.append({"what": what, "std": size, **whole, "kl": sums["kl"] / count if count else float("nan")})
        return pd.DataFrame(rows, columns=list(CALIBRATION))

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        if self._generator is None:
            self._generator = torch.Generator(like.device).manual_seed(self._seed)
        return torch.randn(like.shape, generator=self._generator, device=like.device)


def _divergences(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    rows_a, rows_b = (logits.reshape(-1, logits.shape[-1]) for logits in (a, b))
    parts = [divergence(rows_a[span], rows_b[span]) for span in spans(rows_a, least=1)]
    return torch.cat(parts).reshape(a.shape[:-1])
