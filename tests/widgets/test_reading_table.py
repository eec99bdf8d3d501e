"""Tables in notebooks: token text is data, words stand left, numbers right."""

import pandas as pd

from dgemma_viz.widgets.reading_table import accuracy_table, reading_table


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


def test_a_row_says_what_was_run_how_many_were_right_how_sure_that_is_and_what_it_took():
    summary = pd.DataFrame(
        {
            "entropy_bound": [0.01, 100.0],
            "right": [16, 0],
            "judged": [16, 0],
            "low": [0.806, float("nan")],
            "high": [1.0, float("nan")],
            "forwards": [12.25, 3.0],
        }
    )
    html = accuracy_table(summary, {"entropy_bound": "bound (nats)"}).to_html()
    for shown in ("bound (nats)", ">0.01<", ">100<", "16 of 16", "81% to 100%", ">12.2<", "0 of 0"):
        assert shown in html
