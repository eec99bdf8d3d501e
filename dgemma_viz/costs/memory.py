"""What a model takes of a device's memory: weights once, and for each user a cache and, for diffusion, canvas buffers.

A denoising step of a canvas works on logits of 256 positions x 262,144 tokens in FP32, 268 MB a copy. vLLM holds about
six such tensors for each request (vllm#50699: the step that samples, transient but at its peak for all users at once),
1.6 GB a user, where autoregressive decoding has one row. Activations, the vision part and what a runtime keeps for
itself come on top, so the users counted here are an upper limit: vLLM's own recipe serves four at most on 80 GB (VR).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dgemma_viz.costs.hardware import HARDWARE, Hardware
from dgemma_viz.costs.shape import RELEASED, ModelShape
from dgemma_viz.costs.weight_format import FORMATS, WeightFormat
from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range

if TYPE_CHECKING:
    import pandas as pd

LOGITS_COPIES: Final = 6
"""FP32 tensors of canvas x vocabulary for each user (vllm#50699)."""
PUBLISHED: Final[Mapping[str, str]] = MappingProxyType({"NVFP4": "about 17 GiB (vllm#50699)"})
"""Weights of a whole checkpoint, vision part included, by format."""
_FP32, _GIGA = 4, 1e9


def canvas_buffers(shape: ModelShape) -> float:
    """Bytes that one user's denoising step holds beside weights and cache."""
    return float(LOGITS_COPIES * shape.canvas * shape.vocabulary * _FP32)


def stored_bytes(shape: ModelShape, weights: WeightFormat) -> float:
    """Bytes of the text weights and the head; the vision part comes on top."""
    return weights.bytes_per_weight * (shape.dense_weights + shape.expert_weights) + 2 * shape.head_weights


def user_bytes(shape: ModelShape, *, context: float = 0, canvas: bool = False) -> float:
    """Bytes that each user adds: a key-value cache and, with ``canvas``, the buffers of a denoising step."""
    return shape.cache_bytes(context) + (canvas_buffers(shape) if canvas else 0.0)


def most_users(
    shape: ModelShape, weights: WeightFormat, hardware: Hardware, *, context: float = 0, canvas: bool = False
) -> int | None:
    """Users that the device's memory holds at once, 0 where it does not hold the weights; None where nothing limits it.

    Parameters
    ----------
    shape, weights, hardware
        Model, its format, the device.
    context
        Tokens in each user's cache.
    canvas
        Each user denoises a canvas.
    """
    left = hardware.memory * _GIGA - stored_bytes(shape, weights)
    each = user_bytes(shape, context=context, canvas=canvas)
    if left < 0:
        return 0
    return int(left // each) if each else None


def check_fits(
    shape: ModelShape,
    weights: WeightFormat,
    hardware: Hardware,
    *,
    batch: int = 1,
    context: float = 0,
    canvas: bool = False,
) -> None:
    """Raise SettingError where the model and its users do not fit into the device's memory; see :func:`most_users`."""
    users = checked_range("a batch", batch, 1, whole=True)
    needed = (stored_bytes(shape, weights) + users * user_bytes(shape, context=context, canvas=canvas)) / _GIGA
    if needed <= hardware.memory:
        return
    most = most_users(shape, weights, hardware, context=context, canvas=canvas)
    needs = f"{shape.name} in {weights.name} needs {needed:.0f} GB"
    has = f"{hardware.name} has {hardware.memory:g}"
    if not most:
        raise SettingError(f"{needs}, and {has}: choose a smaller format or another device")
    buffers = ", canvas buffers included" if canvas else ""
    raise SettingError(
        f"{needs} for {users} users{buffers}, and {has}: it holds {most} at most; choose fewer users, a smaller format "
        "or another device"
    )


def memory_table(shape: ModelShape = RELEASED, *, context: float = 8192) -> pd.DataFrame:
    """Memory by format, for diffusion.

    Parameters
    ----------
    shape
        Model; published figures are known for the released one only.
    context
        Tokens in the key-value cache of one sequence.

    Returns
    -------
    pandas.DataFrame
        ``format``; ``weights`` (text weights and head, GB), ``user`` (cache and canvas buffers of each user, GB), both
        modelled; ``published`` (weights, with its source key); ``devices`` (names of
        :data:`~dgemma_viz.costs.hardware.HARDWARE` that hold a user or more, with the most users in brackets: an upper
        limit).

    Raises
    ------
    SettingError
        A negative context.
    """
    import pandas as pd

    rows = []
    for name, weights in FORMATS.items():
        held = {
            device.name: most_users(shape, weights, device, context=context, canvas=True)
            for device in HARDWARE.values()
        }
        rows.append(
            {
                "format": name,
                "weights": stored_bytes(shape, weights) / _GIGA,
                "user": user_bytes(shape, context=context, canvas=True) / _GIGA,
                "published": PUBLISHED.get(name, "") if shape is RELEASED else "",
                "devices": ", ".join(f"{device} ({users})" for device, users in held.items() if users),
            }
        )
    return pd.DataFrame(rows)
