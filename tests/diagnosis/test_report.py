"""How a diagnosis is shown; token texts and errors are hostile data."""

from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from dgemma_viz.diagnosis import diagnose
from dgemma_viz.diagnosis.diagnosis import COLUMNS
from dgemma_viz.trace.notice import Notice
from tests.synthetic import NASTY_TEXTS, synthetic_trace

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e & <b>"


@pytest.fixture
def hostile():
    trace = synthetic_trace(texts=NASTY_TEXTS, length=24, canvases=2, steps=6)
    notices = (Notice(HOSTILE, HOSTILE),)
    facts = replace(trace.facts, status="failed", error=HOSTILE, notices=notices, task={"reference": HOSTILE})
    return diagnose(replace(trace, facts=facts))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, _):
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_well_formed_and_holds_no_foreign_markup(hostile):
    page = hostile._repr_html_()
    parser = Tags()
    parser.feed(page)
    assert not parser.open
    assert parser.seen <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"} | {
        "details",
        "summary",
        "ul",
        "li",
        "code",
    }
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


def test_html_table_is_accessible(hostile):
    page = hostile._repr_html_()
    assert 'role="region" aria-label="Findings"' in page
    assert page.count('scope="row"') == len(hostile)
    assert 'scope="col"' in page
    assert "✖ error" in page, "never colour alone"
    assert "derived" in page


def test_text_for_terminals_has_no_control_characters(hostile):
    text = str(hostile)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "✖ ERROR" in text
    assert "Try:" in text


def test_the_table_has_one_row_per_finding(hostile):
    table = hostile.table()
    assert tuple(table.columns) == COLUMNS
    assert list(table["rule"]) == [finding.rule for finding in hostile]
    assert list(table["severity"]) == [finding.severity.name.lower() for finding in hostile]
    assert table["canvas"].dtype == pd.Int64Dtype()


def test_a_clean_bill(run_of):
    diagnosis = diagnose(run_of("addition"))
    assert diagnosis.table().empty
    assert tuple(diagnosis.table().columns) == COLUMNS
    assert "No findings" in diagnosis._repr_html_()
    assert "No findings" in str(diagnosis)
    assert "wrong-answer: there is no reference" in " ".join(str(diagnosis).split())
