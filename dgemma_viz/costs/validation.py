"""Predictions beside published measurements. Points that were fitted stand apart from those that were not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgemma_viz.costs.acceptance import Acceptance
from dgemma_viz.costs.calibration import CALIBRATED
from dgemma_viz.costs.first_token import time_to_first_token
from dgemma_viz.costs.hardware import HARDWARE
from dgemma_viz.costs.shape import RELEASED
from dgemma_viz.costs.speeds import Speed, autoregressive, diffusion, drafting
from dgemma_viz.costs.weight_format import FORMATS

if TYPE_CHECKING:
    import pandas as pd

_AR, _MTP, _DG = (CALIBRATED[way] for way in ("autoregressive", "drafting", "diffusion"))
_STUDY_CONTEXT = 1024
"""Tokens; JV does not say. Assumed."""

_APPLE = "lablup/mlxcel#218, a comment"
_APPLE_CONTEXT = 256
"""Tokens; the prompt's length is not told, and the answer has 512."""
_ANOTHER_RUNTIME = "another runtime; its 4 bits are counted like NVFP4, with a scale for 16 weights"


@dataclass(frozen=True)
class _Point:
    what: str
    hardware: str
    unit: str
    published: float
    source: str
    predicted: Callable[[], float]
    kind: str = "held out"
    remark: str = ""


def _ar(hardware: str, weights: str, batch: int = 1, context: float = 0) -> Speed:
    return autoregressive(RELEASED, FORMATS[weights], HARDWARE[hardware], _AR, batch=batch, context=context)


def _canvas(hardware: str, weights: str, steps: float = 16) -> Speed:
    return diffusion(RELEASED, FORMATS[weights], HARDWARE[hardware], _DG, steps=steps)


def _drafts(hardware: str) -> Speed:
    return drafting(RELEASED, FORMATS["FP8"], HARDWARE[hardware], _MTP, Acceptance.constant(0.8, 4))


def _first_token(canvas: Speed | None) -> float:
    return time_to_first_token(
        RELEASED, FORMATS["FP8"], HARDWARE["H100 SXM"], _AR, prompt=_STUDY_CONTEXT, canvas=canvas
    )


def _fitted(hardware: str, ar: float, mtp: float, dg: float) -> tuple[_Point, ...]:
    def point(what: str, published: float, predicted: Callable[[], float]) -> _Point:
        return _Point(what, hardware, "tokens/s", published, "V", predicted, "calibration")

    return (
        point("autoregressive, FP8", ar, lambda: _ar(hardware, "FP8").tokens_per_second),
        point("drafting, k = 4, FP8", mtp, lambda: _drafts(hardware).tokens_per_second),
        point("diffusion, 16 steps, FP8", dg, lambda: _canvas(hardware, "FP8").tokens_per_second),
    )


_FITTED = (*_fitted("H100 SXM", 197, 389, 1008), *_fitted("H200", 213, 429, 1288))
_HELD_OUT = (
    _Point(
        "autoregressive, BF16, 1 user", "H100 SXM", "tokens/s", 177.1, "JV",
        lambda: _ar("H100 SXM", "BF16", context=_STUDY_CONTEXT).tokens_per_second,
    ),
    _Point(
        "autoregressive, BF16, 16 users", "H100 SXM", "tokens/s", 975, "JV",
        lambda: _ar("H100 SXM", "BF16", 16, _STUDY_CONTEXT).tokens_per_second,
    ),
    _Point(
        "diffusion step, Q4_K_M", "L4", "ms", 216.7, "llama.cpp#24423, a comment",
        lambda: _canvas("L4", "Q4_K_M").step.total,
        remark="another runtime; weights are unpacked before they are multiplied, which is not counted here",
    ),
    _Point(
        "autoregressive, 4 bits", "M1 Ultra", "tokens/s", 71.3, _APPLE,
        lambda: _ar("M1 Ultra", "NVFP4", context=_APPLE_CONTEXT).tokens_per_second, remark=_ANOTHER_RUNTIME,
    ),
    _Point(
        "diffusion step, 4 bits", "M1 Ultra", "ms", 641, f"calc from {_APPLE}",
        lambda: _canvas("M1 Ultra", "NVFP4").step.total,
        remark=f"512 tokens at 15.06 a second in 53 steps; {_ANOTHER_RUNTIME}",
    ),
    _Point(
        "diffusion end to end, 1 user", "H100 SXM", "tokens/s", 375, "VR",
        lambda: _canvas("H100 SXM", "FP8").tokens_per_second,
        remark="unlike quantities: real prompts, with prefill, canvases that the answer does not fill and as many "
        "steps as a prompt takes, beside 16 steps of full canvases",
    ),
    _Point(
        "first token, autoregressive", "H100 SXM", "ms", 53, "VR", lambda: _first_token(None),
        remark="the prompts' lengths are not published, 1024 tokens are assumed; queue, tokenizer and network are not "
        "counted here",
    ),
    _Point(
        "first token, diffusion", "H100 SXM", "ms", 489, "VR", lambda: _first_token(_canvas("H100 SXM", "FP8")),
        remark="as above, and 16 steps are assumed; real prompts may take more for their first canvas",
    ),
)  # fmt: skip


def validation() -> pd.DataFrame:
    """Every published point with its prediction.

    Returns
    -------
    pandas.DataFrame
        ``kind`` (``"calibration"``: the efficiencies were fitted to it; ``"held out"``), ``what``, ``hardware``,
        ``source``, ``unit``, ``published``, ``predicted``, ``error`` (relative), ``remark``.
    """
    import pandas as pd

    rows = []
    for point in (*_FITTED, *_HELD_OUT):
        predicted = point.predicted()
        rows.append(
            {
                "kind": point.kind,
                "what": point.what,
                "hardware": point.hardware,
                "source": point.source,
                "unit": point.unit,
                "published": float(point.published),
                "predicted": predicted,
                "error": predicted / point.published - 1,
                "remark": point.remark,
            }
        )
    return pd.DataFrame(rows)
