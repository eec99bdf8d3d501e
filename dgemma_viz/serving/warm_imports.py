"""What the process that kernels are forked from imports and runs once, so that no kernel has to.

Plotly is left out: when it is imported it looks for the notebook that it runs in, and chooses how to show figures. What
it needs is there, so that the kernel's own import of it is quick.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module

import torch

from dgemma_viz.labs.run import run
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS

for _name in ("ipykernel.ipkernel", "ipykernel.kernelapp", "nbformat.v4", "pandas", "scipy.stats"):
    import_module(_name)

# Neither torch nor the tokenizer may start threads here: a fork loses them, and then waits for them. A kernel gets its
# own environment.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
_threads = torch.get_num_threads()
torch.set_num_threads(1)
run(*load_tiny(), TASKS["sort"].example_prompts[0])
torch.set_num_threads(_threads)

# The garbage collector leaves alone what is there now, so that its memory stays shared.
gc.collect()
gc.freeze()
