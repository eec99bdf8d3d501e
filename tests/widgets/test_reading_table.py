"""Tables in notebooks: token text is data, words stand left, numbers right."""

import pandas as pd

from dgemma_viz.widgets.reading_table import reading_table


def test_cells_are_escaped_and_formatted():
    table = pd.DataFrame({"output": ["<img onerror=alert(1)>", "b"], "wasted": [0.5, None], "right": [True, False]})
    html = reading_table(table, {"wasted": "{:.0%}"}).to_html()
    assert "<img" not in html
    assert "&lt;img onerror=alert(1)&gt;" in html
    assert ">50%<" in html
    assert ">–<" in html


def test_words_stand_left_and_numbers_as_they_were():
    html = reading_table(pd.DataFrame({"name": ["a"], "value": [1.23456]})).to_html()
    assert ">1.23<" in html
    left = [rule.split("{")[0] for rule in html.split("}") if "text-align: left" in rule]
    assert len(left) == 2, "head and cell of the one column of words"
    assert "row0_col0" in "".join(left)
    assert "col1" not in "".join(left)
