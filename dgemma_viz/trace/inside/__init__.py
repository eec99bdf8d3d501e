"""What went on inside the model in one pass: its data model and its file. Taking one is for ``dgemma_viz.inside``."""

from dgemma_viz.trace.inside.facts import InsideFacts, Origin
from dgemma_viz.trace.inside.file import load_inside, save_inside
from dgemma_viz.trace.inside.model import Inside
from dgemma_viz.trace.inside.parts import Attention, Experts, Lens, Part, SelfConditioning, Variants
from dgemma_viz.trace.inside.schema import PARTS

__all__ = [
    "PARTS",
    "Attention",
    "Experts",
    "Inside",
    "InsideFacts",
    "Lens",
    "Origin",
    "Part",
    "SelfConditioning",
    "Variants",
    "load_inside",
    "save_inside",
]
