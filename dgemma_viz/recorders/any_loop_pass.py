"""One forward pass of any model: which token ids it read, where in the sequence they stand, and what it made of them.

Nothing here knows a model. Ids are what is called so, else the first two-dimensional tensor of whole numbers among the
arguments that is longer than one and no mask or positions; a mapping that holds ids is looked into. Where they stand
follows from what the call says about its cache; a call without a cache reads the sequence from its start. Logits are
reduced on their device to the draft, entropy, confidence and the :data:`EVIDENCE` most probable tokens of each row, and
dropped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy.typing as npt
import torch

from dgemma_viz.recorders.hooks import by_name
from dgemma_viz.recorders.host_arrays import HostCopies, read_only
from dgemma_viz.recorders.reduce import WIDE, reduce_logits

Array = npt.NDArray[Any]

EVIDENCE = 32
"""Alternatives kept of each row until the run is put together: what a loop revealed is looked up among them."""

_IDS = ("decoder_input_ids", "input_ids")
_NO_IDS = ("attention_mask", "position_ids", "token_type_ids", "labels", "cache_position", "replace_position")
_CACHES = ("past_key_values", "cache", "past_key_value", "kv_cache")
_KEPT = {
    "draft": torch.int32,
    "entropy": torch.float32,
    "confidence": torch.float32,
    "top_k_ids": torch.int32,
    "top_k_probabilities": torch.float32,
}
_INSIDE = ("dgemma_viz.recorders", "torch", "accelerate", "peft", "functools", "contextlib")
_TWO, _THREE = 2, 3


@dataclass(frozen=True)
class Reading:
    """What a call reads, taken before it runs, since loops go on writing into the tensor that they pass.

    Attributes
    ----------
    ids
        Token ids, int32 ``(B, L)``.
    begin
        Place of the first of them in the sequence.
    cached
        Whether what stands before them came from a cache.
    real
        Which of them are no padding, bool ``(B, L)``, where the call says so.
    caller
        Name of the function that made the call.
    """

    ids: Array
    begin: int
    cached: bool
    real: Array | None
    caller: str = ""

    @property
    def end(self) -> int:
        """Place behind the last of them."""
        return self.begin + int(self.ids.shape[1])

    def span(self, begin: int = 0) -> slice:
        """Their places in an array that starts at a place."""
        return slice(self.begin - begin, self.end - begin)

    def half(self, second: bool) -> Reading:
        """One half of a doubled batch."""
        middle = len(self.ids) // 2
        rows = slice(middle, None) if second else slice(middle)
        real = None if self.real is None else self.real[rows]
        return Reading(self.ids[rows], self.begin, self.cached, real, self.caller)


@dataclass(frozen=True)
class Pass:
    """A reading, and what the pass made of it.

    Attributes
    ----------
    reading
        What it read.
    first
        Row of the reading, counted along its positions, that the first of the numbers belong to.
    numbers
        ``draft``, ``entropy``, ``confidence`` ``(B, n)``, ``top_k_ids``, ``top_k_probabilities`` ``(B, n, K)`` on the
        host, rows as the model gave them; empty if the pass was not looked at.
    vocabulary
        Tokens that the logits are over; 0 if they were not looked at.
    wall_time
        Seconds from the start of the run.
    """

    reading: Reading
    first: int
    numbers: Mapping[str, torch.Tensor]
    vocabulary: int
    wall_time: float

    def row(self, name: str) -> Array:
        """Numbers of all rows that were looked at; copies must have arrived."""
        return read_only(self.numbers[name])


def read(
    original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Reading, torch.Tensor] | None:
    """What a call of ``forward`` reads, and the tensor that it is read from, ``(B, L)``; None if it gets no token ids.

    Loops go on writing into the tensor, so a later look at it may show what became of its positions.
    """
    given = _opened(by_name(original, args, kwargs))
    tensor = _ids(given, args)
    if tensor is None:
        return None
    ids = tensor.detach().to(device="cpu", dtype=torch.int32, copy=True).numpy()
    whole = tensor.detach()
    if ids.ndim == 1:
        ids, whole = ids[None], whole[None]
    begin, cached = _place(given, ids.shape[1])
    return Reading(ids, begin, cached, _real(given, ids.shape), _caller()), whole


def pass_of(
    reading: Reading,
    output: Any,
    first: int | None,
    *,
    second_half: bool | None,
    alternatives: int,
    copies: HostCopies,
    started: float,
) -> Pass:
    """The pass that came of a reading.

    Parameters
    ----------
    reading
        Of the rows that count.
    output
        What ``forward`` returned.
    first
        Row from which on numbers are wanted; None: of none.
    second_half
        Which half of a doubled batch counts; None if it is not doubled.
    alternatives
        How many the trace is to hold; at least :data:`EVIDENCE` are kept.
    copies
        Copies on the host.
    started
        Clock at the start of the run.
    """
    samples, length = reading.ids.shape
    logits = None if first is None else logits_of(output, wider_than=int(reading.ids.max()))
    if logits is not None and logits.ndim == _TWO and samples == 1:
        logits = logits[None]
    if logits is not None and second_half is not None:
        logits = logits[len(logits) // 2 :] if second_half else logits[: len(logits) // 2]
    missing = 0 if logits is None else length - int(logits.shape[1])  # only the last rows were asked for
    if logits is None or first is None or len(logits) != samples or missing < 0:
        return Pass(reading, 0, {}, 0, time.perf_counter() - started)
    first = max(first, missing)
    parts = [_reduced(logits[sample, first - missing :], max(alternatives, EVIDENCE)) for sample in range(samples)]
    numbers = {name: copies.take(torch.stack([part[name] for part in parts]), dtype) for name, dtype in _KEPT.items()}
    return Pass(reading, first, numbers, int(logits.shape[-1]), time.perf_counter() - started)


def logits_of(output: Any, wider_than: int = 0) -> torch.Tensor | None:
    """The logits in what ``forward`` returned: a tensor, an output object, a mapping or a tuple of such.

    Of several in a tuple, the first that is over more tokens than ``wider_than``, the greatest id that was read: hidden
    states, which may stand in front of it, seldom are. Else the first.
    """
    if isinstance(output, torch.Tensor):
        return output if output.is_floating_point() and output.ndim in (_TWO, _THREE) else None
    if (found := getattr(output, "logits", None)) is not None:
        return logits_of(found, wider_than)
    if isinstance(output, Mapping):
        return logits_of(output.get("logits"), wider_than)
    if isinstance(output, tuple | list):
        all_of = [found for one in output if (found := logits_of(one, wider_than)) is not None]
        return next((one for one in all_of if one.shape[-1] > wider_than), all_of[0] if all_of else None)
    return None


def _reduced(logits: torch.Tensor, alternatives: int) -> dict[str, torch.Tensor]:
    """Numbers of rows ``(n, V)``; the dtype of small ones is widened, that of others as they are reduced."""
    rows = logits.detach()
    rows = rows if rows.shape[-1] >= WIDE else rows.float()
    nothing = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    with torch.no_grad():
        return reduce_logits(rows, nothing, alternatives)


def _ids(given: Mapping[str, Any], args: tuple[Any, ...]) -> torch.Tensor | None:
    if (named := next((given[name] for name in _IDS if _are_ids(given.get(name))), None)) is not None:
        return cast("torch.Tensor", named)
    values = (*(value for name, value in given.items() if name not in _NO_IDS), *args)
    found: list[torch.Tensor] = [one for one in values if _are_ids(one)]
    # a time, or a length, is one number for each sample
    return min(found, key=lambda one: (one.shape[-1] == 1, one.ndim == 1), default=None)


def _opened(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments by name, and what is in a mapping of them that holds ids, as collators make it."""
    for value in given.values():
        if isinstance(value, Mapping) and any(name in value for name in _IDS):
            return {**given, **value}
    return given


def _are_ids(value: Any) -> bool:
    whole = isinstance(value, torch.Tensor) and not value.is_floating_point() and value.dtype != torch.bool
    return whole and value.ndim in (1, _TWO) and value.numel() > 0


def _place(given: Mapping[str, Any], length: int) -> tuple[int, bool]:
    """Place of the first id, and whether anything before it is cached.

    ``position_ids`` come last: with padding on the left they do not count places.
    """
    places, replaced = given.get("cache_position"), given.get("replace_position")
    cache = next((given[name] for name in _CACHES if given.get(name) is not None), None)
    if isinstance(places, torch.Tensor) and places.numel() == length:
        return int(places.reshape(-1)[0]), cache is not None
    held = cached_length(cache)
    if isinstance(replaced, torch.Tensor) and replaced.dtype == torch.bool:  # written over, inside the cache
        marked = replaced.reshape(-1, replaced.shape[-1])[0].nonzero()
        if len(marked) == length:
            return int(marked[0, 0]), True
    if isinstance(replaced, int) and not isinstance(replaced, bool):
        return (held or 0) + replaced, True
    if held is not None:
        return held, held > 0
    positions = given.get("position_ids")
    if cache is not None and isinstance(positions, torch.Tensor) and positions.numel() >= length:
        return int(positions.reshape(-1)[0]), True
    return 0, False


def cached_length(cache: Any) -> int | None:
    """Positions in a key-value cache; None where there is none, or where it does not say."""
    if cache is None:
        return None
    if callable(getattr(cache, "get_seq_length", None)):
        return int(cache.get_seq_length())
    while isinstance(cache, list | tuple) and len(cache):
        cache = cache[0]
    if isinstance(cache, torch.Tensor) and cache.ndim > _TWO:
        return int(cache.shape[-2])
    return None


def _real(given: Mapping[str, Any], shape: tuple[int, ...]) -> Array | None:
    """What an attention mask ``(B, L)``, or the diagonal of one ``(B, 1, L, L)``, says of padding."""
    mask = given.get("attention_mask")
    if not isinstance(mask, torch.Tensor):
        return None
    if mask.ndim == 4 and mask.shape[-1] == mask.shape[-2] and mask.dtype == torch.bool:  # noqa: PLR2004
        mask = mask[:, 0].diagonal(dim1=-2, dim2=-1)
    if tuple(mask.shape) != shape:
        return None
    real: Array = (mask.detach() > 0).cpu().numpy()
    return real


def _caller() -> str:
    """The nearest function outside this layer and what lies between a loop and a model."""
    frame = sys._getframe(1)
    while frame is not None:
        module, name = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        inside = any(module == one or module.startswith(f"{one}.") for one in _INSIDE)
        if not inside and name not in ("forward", "__call__"):
            return "" if name == "<module>" else name.strip("<>")
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""
