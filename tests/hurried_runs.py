"""Real runs of the bundled model on grids, in too few steps for all to come out right: made once for all tests."""

from functools import cache

import numpy as np

import dgemma_viz as dv
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.tiny.tasks import TASKS, different_examples

SEEDS = (0, 1, 2)
HASTE = {"max_denoising_steps": 4}


@cache
def grid_prompts():
    examples = different_examples(TASKS["grid"], np.random.default_rng(0), 5, held_out=True)
    return tuple(example.prompt for example in examples)


@cache
def hurried_runs():
    return run_many(*dv.load_tiny(), grid_prompts(), SEEDS, parameters=HASTE)
