"""See inside text-diffusion language models: record, explore and question every denoising step.

The names below are all most people need; everything else is reached by its module. Nothing heavy is imported until a
name is used: opening a recorded trace needs neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "check_conformance": "dgemma_viz.conformance",
    "compare": "dgemma_viz.widgets.comparison",
    "diagnose": "dgemma_viz.diagnosis",
    "explore": "dgemma_viz.widgets.explorer",
    "load_tiny": "dgemma_viz.tiny",
    "load_trace": "dgemma_viz.trace",
    "record": "dgemma_viz.recorders",
    "watch": "dgemma_viz.widgets.watcher",
}

__all__ = ["check_conformance", "compare", "diagnose", "explore", "load_tiny", "load_trace", "record", "watch"]

if TYPE_CHECKING:
    from dgemma_viz.conformance import check_conformance
    from dgemma_viz.diagnosis import diagnose
    from dgemma_viz.recorders import record
    from dgemma_viz.tiny import load_tiny
    from dgemma_viz.trace import load_trace
    from dgemma_viz.widgets.comparison import compare
    from dgemma_viz.widgets.explorer import explore
    from dgemma_viz.widgets.watcher import watch


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dgemma_viz' has no attribute '{name}'; it offers {sorted(_HOMES)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
