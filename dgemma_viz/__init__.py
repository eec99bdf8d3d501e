"""See inside text-diffusion language models: record, explore and question every denoising step.

The names below are all most people need; everything else is reached by its module. Nothing heavy is imported until a
name is used: opening a recorded trace needs neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Recorder": "dgemma_viz.recorders.own_loop",
    "SamplerLab": "dgemma_viz.widgets.sampler_lab",
    "as_causal": "dgemma_viz.labs.decoding",
    "check_conformance": "dgemma_viz.conformance",
    "compare": "dgemma_viz.widgets.explore",
    "diagnose": "dgemma_viz.diagnosis",
    "explore": "dgemma_viz.widgets.explore",
    "export_html": "dgemma_viz.export.html",
    "inject_errors": "dgemma_viz.labs.injection",
    "intervene": "dgemma_viz.labs.interventions",
    "load_tiny": "dgemma_viz.tiny",
    "load_tiny_drafter": "dgemma_viz.tiny.drafter",
    "load_tiny_masked": "dgemma_viz.tiny.masked",
    "load_trace": "dgemma_viz.trace",
    "race": "dgemma_viz.labs.decoding",
    "record": "dgemma_viz.recorders",
    "replay": "dgemma_viz.labs.interventions",
    "same_seed": "dgemma_viz.labs.same_seed",
    "sweep": "dgemma_viz.labs.sweep",
    "watch": "dgemma_viz.widgets.watcher",
}

__all__ = [
    "Recorder",
    "SamplerLab",
    "as_causal",
    "check_conformance",
    "compare",
    "diagnose",
    "explore",
    "export_html",
    "inject_errors",
    "intervene",
    "load_tiny",
    "load_tiny_drafter",
    "load_tiny_masked",
    "load_trace",
    "race",
    "record",
    "replay",
    "same_seed",
    "sweep",
    "watch",
]

if TYPE_CHECKING:
    from dgemma_viz.conformance import check_conformance
    from dgemma_viz.diagnosis import diagnose
    from dgemma_viz.export.html import export_html
    from dgemma_viz.labs.decoding import as_causal, race
    from dgemma_viz.labs.injection import inject_errors
    from dgemma_viz.labs.interventions import intervene, replay
    from dgemma_viz.labs.same_seed import same_seed
    from dgemma_viz.labs.sweep import sweep
    from dgemma_viz.recorders import record
    from dgemma_viz.recorders.own_loop import Recorder
    from dgemma_viz.tiny import load_tiny
    from dgemma_viz.tiny.drafter import load_tiny_drafter
    from dgemma_viz.tiny.masked import load_tiny_masked
    from dgemma_viz.trace import load_trace
    from dgemma_viz.widgets.explore import compare, explore
    from dgemma_viz.widgets.sampler_lab import SamplerLab
    from dgemma_viz.widgets.watcher import watch


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dgemma_viz' has no attribute '{name}'; it offers {sorted(_HOMES)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
