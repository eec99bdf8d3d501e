"""A sweep to read: right of judged, Wilson's interval, passes."""

import pandas as pd

from dgemma_viz.widgets.accuracy_table import accuracy_table


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
