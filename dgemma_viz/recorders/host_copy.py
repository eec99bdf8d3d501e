"""Small arrays from the model's device to the host without waiting for the device.

On CUDA a copy goes to pinned memory in stream order, so it neither stalls the generation nor reads memory that a CUDA
graph reuses later; :meth:`HostCopies.wait` must run before it is read. Elsewhere the copy is done at once.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


class HostCopies:
    """Copies of one run, and the devices that they come from."""

    def __init__(self) -> None:
        self._devices: set[torch.device] = set()

    def take(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A copy on the host that shares no memory with ``tensor``; complete after :meth:`wait`."""
        if not tensor.is_cuda:
            return tensor.detach().to(device="cpu", dtype=dtype, copy=True)
        self._devices.add(tensor.device)
        host = torch.empty(tensor.shape, dtype=dtype, pin_memory=True)
        host.copy_(tensor.detach().to(dtype), non_blocking=True)
        return host

    def wait(self) -> None:
        """Wait until all copies taken so far have arrived."""
        for device in self._devices:
            torch.cuda.synchronize(device)


def read_only(host: torch.Tensor) -> Array:
    """Read-only numpy view of a copy that has arrived."""
    array: Array = host.numpy()
    array.flags.writeable = False
    return array
