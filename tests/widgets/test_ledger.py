"""A ledger says what its rows are; a verdict of ours is shown after the reader's."""

import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.widgets.ledger import Evidence, Tally, Verdict, ledger

PUBLISHED = Evidence("published", "1.9 times <b>", "one H100", "not told", "VR, 2026-09-23")
MEASURED = Evidence("measured here", "3 times fewer passes", "bundled model only", "8 prompts", "this run")


def test_rows_stand_by_kind_and_are_text():
    html = ledger([PUBLISHED, MEASURED]).to_html()
    assert html.index("3 times fewer") < html.index("1.9 times")
    assert "<b>" not in html
    assert "not told" in html


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("rumoured", "a", "b", "c", "d"), "'rumoured'"),
        (("published", "a", "b", " ", "d"), "no 'n'"),
        (("published", "a", "b", "1", ""), "no 'source'"),
    ],
)
def test_a_row_without_its_setting_or_source_is_refused(fields, message):
    with pytest.raises(SettingError, match=message):
        Evidence(*fields)


def test_ours_is_shown_after_the_readers_and_the_first_choice_stands():
    asked = Verdict("much faster", "it depends", "It is the device that decides.")
    assert "device" not in asked.said.value
    asked.compare.click()
    assert "Choose one first" in asked.said.value
    assert asked.readers == ""
    asked.given.value = "it holds"
    asked.compare.click()
    assert asked.readers == "it holds"
    assert "You said: it holds, ours is: it depends. It is the device" in asked.said.value
    asked.given.value = "it depends"
    asked.compare.click()
    assert asked.readers == "it holds", "what was said before ours was known"
    with pytest.raises(SettingError, match="one of it holds"):
        Verdict("much faster", "true", "")


def test_a_tally_holds_ours_back_until_the_reader_has_spoken():
    first, second = Verdict("much <i>faster</i>", "it depends", "-"), Verdict("open", "it holds", "-")
    tally = Tally(first, second)
    assert "it depends" not in tally.table.value
    assert "<i>" not in tally.table.value
    first.given.value = "it does not hold"
    first.compare.click()
    assert "it does not hold" in tally.table.value
    assert "it depends" in tally.table.value
    assert "it holds" not in tally.table.value
