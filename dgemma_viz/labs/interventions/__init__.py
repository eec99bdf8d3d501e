"""Replay and interventions: run a recorded generation again, as it was or with something changed in the middle.

The loop is the library's own, run from its beginning; interventions are hooks on the running objects, put back
afterwards. Importing this package imports neither torch nor transformers.
"""

from dgemma_viz.labs.interventions.around import around_of
from dgemma_viz.labs.interventions.changeable import CHANGEABLE
from dgemma_viz.labs.interventions.forced_decisions import ForceAccept, ForceRenoise
from dgemma_viz.labs.interventions.intervened_run import Intervened, intervene
from dgemma_viz.labs.interventions.intervention import Intervention, from_json
from dgemma_viz.labs.interventions.replayed_run import Replay, replay
from dgemma_viz.labs.interventions.run_conditions import ChangeParameters, DropSelfConditioning
from dgemma_viz.labs.interventions.tokens_read import AddNoise, Pin, Replace

__all__ = [
    "CHANGEABLE",
    "AddNoise",
    "ChangeParameters",
    "DropSelfConditioning",
    "ForceAccept",
    "ForceRenoise",
    "Intervened",
    "Intervention",
    "Pin",
    "Replace",
    "Replay",
    "around_of",
    "from_json",
    "intervene",
    "replay",
]
