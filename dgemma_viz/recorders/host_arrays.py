"""Arrays on the host: small ones from the model's device without waiting for it, and those of any library as numpy's.

Copies. On CUDA a copy goes to pinned memory in stream order, so it neither stalls the generation nor reads memory that
a CUDA graph reuses later; :meth:`HostCopies.wait` must run before it is read. Elsewhere the copy is done at once.

Arrays of any library (torch, numpy, JAX, MLX, CuPy, TensorFlow, lists), in whatever dtype they are, are taken by the
first of these ways that works; of libraries only torch is named, and imported where it is needed:

1. a torch tensor by its own methods;
2. numpy's conversion (``__array__``, the buffer protocol, lists). Extension dtypes of bfloat16 and float8 (ml_dtypes,
   as JAX has them) are widened;
3. the array's own namespace (``__array_namespace__`` of the array API standard) widens what numpy has no dtype for: MLX
   has bfloat16, and exports it in a buffer format that numpy does not know;
4. DLPack (``__dlpack__``), by numpy or, for what it does not know, by torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]

_NUMBERS = "biuf"
"""Kinds of numpy dtypes that hold booleans, whole numbers and floats."""


class HostCopies:
    """Copies of one run, and the devices that they come from."""

    def __init__(self) -> None:
        self._devices: set[torch.device] = set()

    def take(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A copy on the host that shares no memory with ``tensor``; complete after :meth:`wait`."""
        if not tensor.is_cuda:
            return tensor.detach().to(device="cpu", dtype=dtype, copy=True)
        import torch

        self._devices.add(tensor.device)
        host = torch.empty(tensor.shape, dtype=dtype, pin_memory=True)
        host.copy_(tensor.detach().to(dtype), non_blocking=True)
        return host

    def wait(self) -> None:
        """Wait until all copies taken so far have arrived."""
        for device in self._devices:
            import torch

            torch.cuda.synchronize(device)


def read_only(host: torch.Tensor) -> Array:
    """Read-only numpy view of a copy that has arrived."""
    array: Array = host.numpy()
    array.flags.writeable = False
    return array


def is_torch(value: Any) -> bool:
    """Whether a value is a torch tensor, without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def host_array(value: Any) -> Array:
    """The numbers of an array on the host, bfloat16 and float8 as float32; it may share memory with ``value``.

    Raises
    ------
    TypeError
        It is no array of numbers, or none that can be read: a sentence without its subject.
    """
    refusals = []
    for way in (_own_methods, _by_numpy, _widened, _by_dlpack):
        try:
            array = way(value)
        except Exception as error:  # noqa: BLE001 - libraries refuse by errors of all kinds
            refusals.append(str(error).strip() or type(error).__name__)
            continue
        if array is not None and array.dtype.kind in _NUMBERS:
            return array
        if array is not None and not _is_array(value):
            raise TypeError(f"holds {array.dtype}, not numbers")
    why = f" ({refusals[0][:200]})" if refusals else ""
    hint = "; cast it to float32, or token ids to int32, before handing it over" if _is_array(value) else ""
    raise TypeError(f"is a {type(value).__name__} that cannot be read as an array of numbers{why}{hint}")


def _is_array(value: Any) -> bool:
    return any(hasattr(value, name) for name in ("__dlpack__", "__array_namespace__", "__array__"))


def _own_methods(value: Any) -> Array | None:
    if not is_torch(value):
        return None
    tensor = value.detach()
    array: Array = (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
    return array


def _by_numpy(value: Any) -> Array:
    array = np.asarray(value)
    is_extension = array.dtype.kind == "V" and not isinstance(array.dtype, np.dtypes.VoidDType)
    return array.astype(np.float32) if is_extension else array


def _widened(value: Any) -> Array | None:
    if not hasattr(value, "__array_namespace__"):
        return None
    namespace = value.__array_namespace__()
    cast: Callable[..., Any] | None = getattr(namespace, "astype", None)
    return np.asarray(cast(value, namespace.float32) if cast else value.astype(namespace.float32))


def _by_dlpack(value: Any) -> Array | None:
    if not hasattr(value, "__dlpack__"):
        return None
    try:
        array: Array = np.from_dlpack(value)
    except Exception:  # noqa: BLE001 - a dtype or a device that numpy does not know
        import torch

        return _own_methods(torch.from_dlpack(value))
    return array
