"""How far hidden states of two models are apart, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("canvas", "step", "layer", "cosine", "smallest_cosine", "relative_norm")


class LayerDrift:
    """Collects one row for each step and layer."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._rows: list[dict[str, Any]] = []

    def add(
        self,
        step: int,
        here: npt.NDArray[np.bool_],
        a: tuple[torch.Tensor, ...],
        b: tuple[torch.Tensor, ...],
    ) -> None:
        """Compare one step's states, ``(B, C, H)`` behind the embeddings and each layer, where ``here`` ``(B, C)``."""
        place = {"canvas": int(self._trace.canvas[step]), "step": int(self._trace.step_in_canvas[step])}
        for layer, (one, other) in enumerate(zip(a, b, strict=True)):
            mask = torch.tensor(here, device=one.device)
            first, second = one[mask].double(), other.to(one.device)[mask].double()
            norms = first.norm(dim=-1), second.norm(dim=-1)
            cosine = (first * second).sum(-1) / (norms[0] * norms[1]).clamp(min=1e-300)
            apart = (second - first).norm(dim=-1) / norms[0].clamp(min=1e-300)
            self._rows.append(
                place
                | {
                    "layer": layer,
                    "cosine": float(cosine.mean()),
                    "smallest_cosine": float(cosine.min()),
                    "relative_norm": float(apart.mean()),
                }
            )

    def table(self) -> pd.DataFrame:
        """:attr:`dgemma_viz.analysis.parity.Parity.layers`."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(COLUMNS))
