"""What a decoder pass costs on real hardware: an explicit roofline with every term, its unit and its source on view.

The tiny bundled model shows counts (forwards, tokens per forward, wasted positions); what they mean on large hardware
comes from here, never the other way round. Plain numbers; nothing of the package but its errors is imported.
"""

from dgemma_viz.costs.acceptance import Acceptance
from dgemma_viz.costs.calibration import CALIBRATED, calibrated
from dgemma_viz.costs.crossovers import crossover_table
from dgemma_viz.costs.first_token import prefill_pass, time_to_first_token
from dgemma_viz.costs.hardware import HARDWARE, Hardware
from dgemma_viz.costs.memory import memory_table
from dgemma_viz.costs.passes import canvas_pass, decode_pass, verify_pass
from dgemma_viz.costs.roofline import Efficiency, StepTime, step_time
from dgemma_viz.costs.scenario import Scenario
from dgemma_viz.costs.shape import RELEASED, ModelShape, shape_of
from dgemma_viz.costs.speeds import autoregressive, break_even, diffusion, drafting
from dgemma_viz.costs.validation import validation
from dgemma_viz.costs.weight_format import FORMATS, WeightFormat

__all__ = [
    "CALIBRATED",
    "FORMATS",
    "HARDWARE",
    "RELEASED",
    "Acceptance",
    "Efficiency",
    "Hardware",
    "ModelShape",
    "Scenario",
    "StepTime",
    "WeightFormat",
    "autoregressive",
    "break_even",
    "calibrated",
    "canvas_pass",
    "crossover_table",
    "decode_pass",
    "diffusion",
    "drafting",
    "memory_table",
    "prefill_pass",
    "shape_of",
    "step_time",
    "time_to_first_token",
    "validation",
    "verify_pass",
]
