"""What a report shows: the place, the numbers, the rule and its source, all escaped."""

import numpy as np

from dgemma_viz.conformance import RULES, check_conformance
from dgemma_viz.conformance.report import COLUMNS
from tests.conformance.conftest import edited, with_settings


def test_a_report_without_violations(healthy):
    report = check_conformance(healthy)
    told = f"Conforms to the reference sampler in what could be checked: {len(report.passed)} passed, 0 broken, 1 not"
    assert str(report).startswith(told)
    assert [name for name, _ in report.not_checked] == ["rows-agree"], "no two rows have one prompt"
    assert len(report.passed) + 1 + len(report.not_applicable) == len(RULES)
    assert repr(report).startswith("<ConformanceReport: Conforms")
    assert list(report.table().columns) == list(COLUMNS)
    assert len(report.table()) == 0
    assert "<table" not in report._repr_html_()
    assert report.first("stop-rule") is None


def test_a_report_with_violations(healthy):
    damaged = edited(edited(healthy, "entropy", (3, 0, 7), np.nan), "emitted", (0, 0, 2), 50)
    report = check_conformance(damaged)
    rules = {violation.rule for violation in report.violations}
    assert rules >= {"numbers-finite", "emitted-is-last-draft"}
    text = str(report)
    assert text.startswith(f"{len(rules)} rules broken")
    assert "(first: canvas 0, step 3, sample 0, position 7)" in text
    assert "vllm#47424" in text
    table = report.table()
    assert len(table) == len(report.violations)
    assert table.loc[0, "step"] == 3
    assert table.loc[table["rule"] == "emitted-is-last-draft", "step"].isna().all()
    html = report._repr_html_()
    assert html.count("<tr>") == 1 + len(report.violations)


def test_what_a_file_says_is_escaped(healthy):
    evil = "<img src=x onerror=alert(1)>\x1b[31m"
    report = check_conformance(with_settings(healthy, **{"stability_threshold": evil, evil: 1}))
    assert "<img" not in report._repr_html_()
    assert "\x1b" not in str(report)
