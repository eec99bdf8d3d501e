"""How much of a wrong answer is wrong, on a real answer held against other references."""

from dataclasses import replace

import dgemma_viz as dv
from dgemma_viz.analysis.failure_kinds import error_spread
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.figures.error_spread import error_spread as drawn
from dgemma_viz.labs.run import run


def test_wrong_answers_are_counted_by_their_tokens():
    trace = run(*dv.load_tiny(), "sort 1493=", seed=0)
    traces = [trace, *(replace(trace, facts=replace(trace.facts, task={"reference": text})) for text in ("1384", "99"))]
    table = error_spread(RunSet.of(traces))
    assert table["run"].tolist() == [1, 2]
    assert table[["tokens", "wrong"]].to_numpy().tolist() == [[5, 2], [5, 4]]
    assert table["share"].tolist() == [0.4, 0.8]
    figure = drawn(table, theme="dark")
    answers = figure.data[-1]
    assert sorted(zip(answers.x, answers.y, answers.customdata, strict=True)) == [(5, 2, 1), (5, 4, 1)]
    assert "60%" in figure.layout.title.subtitle.text


def test_no_wrong_answer():
    table = error_spread(())
    assert table.empty
    assert drawn(table).layout.annotations
