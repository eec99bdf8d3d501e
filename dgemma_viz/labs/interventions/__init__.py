"""Replay and interventions: run a recorded generation again, as it was or with something changed in the middle.

What is changed is data that a trace keeps (:mod:`dgemma_viz.trace.interventions`). The loop is the library's own, run
from its beginning; interventions are hooks on the running objects, put back afterwards. Importing this package imports
neither torch nor transformers.
"""

from dgemma_viz.labs.interventions.hooks import hooks_of
from dgemma_viz.labs.interventions.intervene import Intervened, intervene
from dgemma_viz.labs.interventions.replay import Replay, replay
from dgemma_viz.trace.interventions import (
    AddNoise,
    AddVector,
    ChangeParameters,
    CutSelfConditioning,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    InjectMass,
    Intervention,
    PatchActivation,
    Pin,
    Replace,
    from_json,
)

__all__ = [
    "AddNoise",
    "AddVector",
    "ChangeParameters",
    "CutSelfConditioning",
    "DropSelfConditioning",
    "ForceAccept",
    "ForceRenoise",
    "InjectMass",
    "Intervened",
    "Intervention",
    "PatchActivation",
    "Pin",
    "Replace",
    "Replay",
    "from_json",
    "hooks_of",
    "intervene",
    "replay",
]
