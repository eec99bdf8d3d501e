"""Functions of what a module gives, for the time of one decoder pass: the hooks of PyTorch under names.

A compiled pass has no modules to hook. In its place the model's own ``forward`` runs, which rounds differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.interventions.activations import ChangedActivation
from dgemma_viz.upstream.torch_compile import is_compiled

Function = Callable[[str, torch.Tensor], torch.Tensor | None]
"""Of a module's name and what it gives (the first, if it gives several): what it gives instead, or None for that."""


@contextmanager
def hooked_modules(model: Any, functions: Sequence[tuple[str, Function]]) -> Iterator[None]:
    """Call functions of what modules give, inside the block; of one module in the given order.

    Parameters
    ----------
    model
        Whose ``named_modules()`` are named.
    functions
        Name and function.
    """
    modules = dict(model.named_modules())
    with ExitStack() as stack:
        for name, function in functions:
            handle = modules[name].register_forward_hook(partial(_called, name, function))
            stack.callback(handle.remove)
        yield


def _called(name: str, function: Function, _module: Any, _given: Any, output: Any) -> Any:
    first = output[0] if isinstance(output, tuple) else output
    if not isinstance(first, torch.Tensor):
        raise SettingError(f"{name} gives no tensor but a {type(first).__name__}: hook a module inside it")
    changed = function(name, first)
    if changed is None:
        return None
    if not isinstance(changed, torch.Tensor) or changed.shape != first.shape:
        what = f"shape {tuple(changed.shape)}" if isinstance(changed, torch.Tensor) else type(changed).__name__
        raise SettingError(f"the function at {name} must give a tensor of shape {tuple(first.shape)}, not {what}")
    changed = changed.to(first)
    return (changed, *output[1:]) if isinstance(output, tuple) else changed


def runs_modules(forward: Callable[..., Any], model: Any) -> Callable[..., Any]:
    """The same pass through the model's modules, where a compiled function would go past them."""
    own: Callable[..., Any] = model.forward
    return own if is_compiled(forward) else forward


def changed_activations(model: Any, changes: Sequence[ChangedActivation]) -> Any:
    """Context manager in which modules give what interventions want."""
    return hooked_modules(model, [(str(one.module), partial(_change, one)) for one in changes])


def _change(one: ChangedActivation, name: str, output: torch.Tensor) -> torch.Tensor:
    if output.ndim != 3:  # noqa: PLR2004 - samples, positions, width
        raise SettingError(
            f"{name} gives a tensor of shape {tuple(output.shape)}, and not one of samples, positions and width"
        )
    samples = range(len(output)) if one.sample is None else [one.sample]
    positions = range(output.shape[1]) if one.positions is None else list(one.positions)
    place = torch.tensor(list(samples))[:, None], torch.tensor(list(positions))[None]
    given = output[place].float().detach().cpu().numpy()
    changed = output.clone()
    changed[place] = torch.tensor(one.changed(given)).to(output)
    return changed
