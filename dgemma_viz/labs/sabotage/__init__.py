"""Faults put into a running sampler on purpose, to show what they do and that they are found.

>>> with FAULTS["never-stops"].plant(model):
...     trace = run(model, tokenizer, prompt)

To add one, write what plants it and its entry in the file of its family: what the loop is given (``inputs``), what the
decoder answers (``logits``), or a rule that a published runtime broke (``published_bugs``). Faults of loops with
a mask token stand in :mod:`dgemma_viz.labs.sabotage.mask_loop`.
"""

from types import MappingProxyType

from dgemma_viz.labs.sabotage import inputs, logits, published_bugs
from dgemma_viz.labs.sabotage.fault import Fault, Plant

FAULTS = MappingProxyType({fault.name: fault for fault in (*inputs.FAULTS, *logits.FAULTS, *published_bugs.FAULTS)})
"""Every fault by its name."""

__all__ = ["FAULTS", "Fault", "Plant"]
