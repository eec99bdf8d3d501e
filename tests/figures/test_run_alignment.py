"""Rows of runs: what parted, and where first."""

import numpy as np

from dgemma_viz.analysis.divergence import divergence
from dgemma_viz.figures import run_alignment
from tests.handmade import handmade_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace

BASE, OTHER = handmade_trace(["a b c <eos>"] * 3), handmade_trace(["a b c <eos>", "a x c <eos>", "a x c <eos>"])


def drawn(figure):
    return {trace.name.split(" ·")[0]: trace for trace in figure.data}


def test_cells_by_hand():
    shown = drawn(run_alignment({"base": BASE, "other": OTHER}))
    assert np.array(shown["parted"].z)[1].tolist()[1] == 1
    assert np.isnan(np.array(shown["parted"].z)[0]).all()
    assert list(shown["tokens"].text) == [*"abc", "&lt;eos&gt;", *"axc", "&lt;eos&gt;"]
    first = divergence(BASE, OTHER)
    assert list(shown["first difference"].x) == list(first.positions)


def test_a_canvas_that_is_missing_is_a_plain_message():
    figure = run_alignment({"base": BASE, "<b>other": OTHER}, canvas=1)
    assert not figure.data
    assert "canvas 1 of sample 0 is not in base, &lt;b&gt;other" in figure.layout.annotations[0].text
    assert "every run" in run_alignment({}).layout.annotations[0].text


def test_hostile_tokens_and_labels():
    first, second = (synthetic_trace(texts=NASTY_TEXTS, length=60, steps=5, seed=seed) for seed in (1, 2))
    for theme in ("light", "dark"):
        text = run_alignment({"<script>x": first, "b" * 90: second}, theme=theme).to_json()
        assert "<script" not in text


def test_tokens_are_written_where_they_can_be_read():
    long = handmade_trace([" ".join("abc" * 10)])
    assert "tokens" not in drawn(run_alignment({"a": long, "b": long}))
