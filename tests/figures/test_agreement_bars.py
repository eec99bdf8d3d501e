"""Agreement between seeds, drawn."""

from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.analysis.seed_agreement import seed_agreement
from dgemma_viz.figures import agreement_bars
from tests.handmade import handmade_trace


def table_of(*outputs):
    return seed_agreement(RunSet.of([handmade_trace([output]) for output in outputs]))


def test_positions_where_some_differ_have_another_look():
    agree, differ = agreement_bars(table_of("a b <eos>", "a c <eos>", "a c <eos>")).data
    assert agree.x.tolist() == [0]
    assert differ.x.tolist() == [1]
    assert differ.y.tolist() == [2 / 3]
    assert differ.text == ("c",)
    assert differ.marker.pattern.shape != agree.marker.pattern.shape
    assert agree.customdata[0][:2].tolist() == [0, 0]


def test_an_ended_answer_is_no_token():
    figure = agreement_bars(table_of("a <eos> b", "a <eos> b", "a b <eos>"))
    assert figure.layout.xaxis.ticktext == ("a", "(ended)")


def test_long_answers_have_numbers_at_the_axis():
    figure = agreement_bars(table_of(" ".join("a" * 60)))
    assert figure.layout.xaxis.ticktext is None
    assert figure.layout.xaxis.title.text == "position"
