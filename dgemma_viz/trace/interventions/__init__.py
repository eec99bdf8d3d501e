"""What was changed on purpose in a run, as data that a trace keeps: where, for how long, and what.

Doing it is for :mod:`dgemma_viz.labs.interventions`; reading and describing it needs no model.
"""

from dgemma_viz.trace.interventions.activations import AddVector, PatchActivation
from dgemma_viz.trace.interventions.forced_decisions import ForceAccept, ForceRenoise
from dgemma_viz.trace.interventions.intervention import Intervention, from_json, recorded_interventions
from dgemma_viz.trace.interventions.run_conditions import (
    ChangeParameters,
    CutSelfConditioning,
    DropSelfConditioning,
    InjectMass,
)
from dgemma_viz.trace.interventions.tokens_read import AddNoise, Pin, Replace

__all__ = [
    "AddNoise",
    "AddVector",
    "ChangeParameters",
    "CutSelfConditioning",
    "DropSelfConditioning",
    "ForceAccept",
    "ForceRenoise",
    "InjectMass",
    "Intervention",
    "PatchActivation",
    "Pin",
    "Replace",
    "from_json",
    "recorded_interventions",
]
