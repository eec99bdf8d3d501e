"""Findings as a list: words for places, numbers and severities, and nothing that could run."""

import json

import dgemma_viz as dv
from dgemma_viz.rules import Finding, Severity
from dgemma_viz.rules.engine import Verdict
from dgemma_viz.views.findings import entry_of, remark_of
from tests.synthetic import synthetic_trace


def test_an_entry_says_where_and_shows_what_is_invisible():
    finding = Finding(
        rule="right-then-lost",
        severity=Severity.ERROR,
        what="the token '\u202e<img src=x>' was lost",
        remedy="look",
        sample=1,
        canvas=2,
        step=5,
        positions=(3, 4),
        evidence={"final_confidence": 0.91234, "entropy": float("nan")},
    )
    trace = synthetic_trace(canvases=3, samples=2, texts=["\u202e", "\x1b[2J", "a"])
    entry = entry_of(trace, finding)
    assert entry["where"].startswith("sample 1 · canvas 2 · step 5 · positions 3–4 · “")
    assert entry["where"].isprintable()
    assert entry["rule"] == "right then lost"
    assert "\u202e" not in entry["what"]
    assert entry["evidence"] == [["final confidence", "0.9123"], ["entropy", "not a number"]]
    json.dumps(entry)
    assert entry_of(trace, Finding(Severity.NOTE, ""))["where"] == "sample 0"
    assert entry_of(synthetic_trace(), Finding(Severity.NOTE, ""))["where"] == "whole run"


def test_the_remark_names_what_is_missing_and_no_rules_of_other_samplers():
    diagnosis = dv.diagnose(synthetic_trace())
    assert diagnosis.of(Verdict.NOT_APPLICABLE)
    remark = remark_of(diagnosis)
    assert "wrong answer" in remark
    assert "of another kind" not in remark
