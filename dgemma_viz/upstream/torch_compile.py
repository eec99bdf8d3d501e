"""What ``torch.compile`` leaves on functions, methods and modules, as of torch 2.9: none of it is documented."""

from __future__ import annotations

from typing import Any, Final

COMPILED_MODULE: Final = "_orig_mod"
"""Where the wrapper that ``torch.compile(model)`` gives keeps the model."""
_COMPILED_FROM = ("_torchdynamo_orig_callable", "__wrapped__")


def is_compiled(method: Any) -> bool:
    """Tell whether ``torch.compile`` made a method, so that its arithmetic is not that of torch's own operations."""
    return getattr(method, _COMPILED_FROM[0], None) is not None


def owner_of(method: Any, otherwise: Any) -> Any:
    """Object whose method runs when ``method`` is called, looking through ``torch.compile`` and other wrappers."""
    for _ in range(16):
        owner = getattr(method, "__self__", None)
        if owner is not None:
            return owner
        inner = next((found for name in _COMPILED_FROM if (found := getattr(method, name, None)) is not None), None)
        if inner is None:
            return otherwise
        method = inner
    return otherwise


def called_through(module: Any) -> str:
    """What a call of a module goes through: ``module.compile()`` puts something in place of ``forward``."""
    return "forward" if getattr(module, "_compiled_call_impl", None) is None else "_compiled_call_impl"
