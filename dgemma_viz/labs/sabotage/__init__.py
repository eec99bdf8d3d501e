"""Faults put into a running sampler on purpose, to show what they do and that they are found.

>>> with FAULTS["never-stops"].plant(model):
...     trace = run(model, tokenizer, prompt)
"""

from types import MappingProxyType

from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.labs.sabotage.misconfigurations import FAULTS as MISCONFIGURATIONS
from dgemma_viz.labs.sabotage.published_bugs import FAULTS as PUBLISHED_BUGS

FAULTS = MappingProxyType({fault.name: fault for fault in (*MISCONFIGURATIONS, *PUBLISHED_BUGS)})
"""Every fault by its name."""

__all__ = ["FAULTS", "Fault"]
