"""Places and numbers as phrases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.rules.finding import Finding, Severity, places, spans, summary


@pytest.mark.parametrize(
    ("positions", "words"),
    [((), ""), ((4,), "4"), ((0, 1, 2), "0–2"), ((3, 5, 6, 7, 9), "3, 5–7, 9"), ((9, 8), "8–9")],
)
def test_spans(positions, words):
    assert ", ".join(spans(positions)) == words


@given(st.sets(st.integers(0, 300)))
def test_spans_name_every_position_once(positions):
    named = []
    for part in spans(positions):
        first, _, last = part.partition("–")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(positions)


def test_a_summary_counts_by_severity():
    findings = [Finding(severity, "") for severity in (Severity.ERROR, Severity.NOTE, Severity.NOTE)]
    assert summary(findings) == "1 error, 2 notes"
    assert summary([]) == ""


def test_many_positions_are_cut_short():
    assert places([4]) == "position 4"
    assert places([4, 5]) == "positions 4–5"
    assert places(range(0, 40, 2)).endswith(", 14 and 12 more")


def test_where_a_finding_is():
    found = Finding(Severity.ERROR, "", trace_name="a.jsonl", canvas=0, step=3, positions=(7, 9))
    assert found.where == "a.jsonl, canvas 0, step 3, sample 0, position 7"
    assert Finding(Severity.ERROR, "").where == "sample 0"
