"""Real runs of the bundled model on stories, which it often gets wrong: made once for all tests that read them."""

from functools import cache

import numpy as np

import dgemma_viz as dv
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.tiny.tasks import TASKS, sample_example

SEEDS = (0, 1, 2)


@cache
def story_prompts():
    rng = np.random.default_rng(0)
    return tuple(sample_example(TASKS["story"], rng, held_out=True).prompt for _ in range(5))


@cache
def story_runs():
    return run_many(*dv.load_tiny(), story_prompts(), SEEDS)
