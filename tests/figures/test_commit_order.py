"""Position against commit step."""

import numpy as np

import dgemma_viz as dv
from dgemma_viz.analysis.positions import answer_positions, commit_steps
from dgemma_viz.figures import commit_order
from dgemma_viz.trace import ARRAYS, Trace
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=9, steps=7, seed=2)


def test_every_position_is_there_once_at_its_commit_step():
    points = {}
    for trace in commit_order(TRACE).data:
        points |= dict(zip(trace.x.tolist(), trace.y.tolist(), strict=True))
    assert points == dict(enumerate(commit_steps(TRACE.canvas_run()).tolist()))


def test_tokens_emitted_without_ever_being_accepted_have_another_mark():
    values = {name: np.array(getattr(TRACE, name)) for name in ARRAYS}
    values["accepted"][:, 0, 4] = False
    ever, never = commit_order(Trace(**values | {"decision": None})).data
    assert never.x.tolist() == [4]
    assert 4 not in ever.x
    assert ever.marker.symbol != never.marker.symbol


def test_the_fill_behind_the_end_is_neither_accepted_nor_never_accepted():
    trace = dv.run(*dv.load_tiny(), "sort 53918=", seed=0)
    ever, never, behind = commit_order(trace).data
    assert behind.x.tolist() == np.flatnonzero(~answer_positions(trace.canvas_run())).tolist()
    assert sorted([*ever.x, *never.x, *behind.x]) == list(range(48))
    assert behind.name == "behind the end of the answer"
