"""Hostile text in JupyterLab, which renders tables and errors by itself, trusts their HTML, and sets formulas."""

import pytest
from playwright.sync_api import expect

from tests.browser import open_page
from tests.front_ends import run_cell, serve_in
from tests.hostile_page import CELLS, assert_harmless, point_at

WIDGETS_TABLES_AND_ERROR = (
    "dv.explore(",
    "dv.compare(",
    "dv.diagnose(",
    "check_conformance(",
    "reading_table(",
    "raise ",
)
"""What to take of the cells that Voila shows, too."""

JUPYTERLAB_ALONE = (
    "dv.figures.heatmap(a, position=3)",
    "from dgemma_viz.analysis.run_set import RunSet\na, dv.diagnose(a), check_conformance(a), RunSet.of([a, b])",
    "print(dv.diagnose(a), check_conformance(a), sep='\\n')",
    "dv.load_trace(EVERYTHING.replace('\\0', '').replace('https:', ''))",
    "from IPython.display import Markdown\nMarkdown('$y$')",
)
"""The last one's formula is ours: when it is set, those of the others would be."""


@pytest.mark.browser
def test_widgets_tables_reprs_and_errors_show_it_as_text(chromium):
    taken = [
        cell for start in WIDGETS_TABLES_AND_ERROR for cell in CELLS if cell.strip().splitlines()[-1].startswith(start)
    ]
    assert len(taken) == len(WIDGETS_TABLES_AND_ERROR)
    cells = [*taken, *JUPYTERLAB_ALONE]
    code = ".jp-Notebook .jp-CodeCell"
    with (
        serve_in("jupyterlab", cells) as url,
        open_page(chromium, url, height=20_000, wait_for=f"{code} .cm-content") as visit,  # all cells are within sight
    ):
        page, dialogs = visit.page, []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        outputs = [page.locator(code).nth(n).locator(".jp-Cell-outputArea") for n in range(len(cells))]
        for n, output in enumerate(outputs):
            run_cell(page, n)
            output.locator(".jp-OutputArea-output").first.wait_for()  # an error ends what waits behind it
        outputs[-1].locator("mjx-container").wait_for(state="attached")
        outputs[-1].evaluate("(output) => output.remove()")
        expect(page.locator(".jp-OutputArea-output", has_text="Traceback (most recent call last)")).to_have_count(2)
        page.locator(".js-plotly-plot .main-svg").nth(8).wait_for(state="attached")

        explorer, comparison = outputs[:2]
        for output, said in ((explorer, "Position 3 at step 0"), (comparison, "Position 3")):
            token = output.locator(".dgv-token").nth(3)
            point_at(page, token)
            token.click()
            output.get_by_text(said, exact=True).first.wait_for()
        explorer.locator(".dgf-finding").nth(1).click()
        explorer.locator(".dgf-chosen").get_by_text("Try: ").wait_for()
        for chart in page.locator(".js-plotly-plot:visible .nsewdrag").all():
            chart.hover(force=True)
        assert_harmless(visit, dialogs)
        assert lines_of(page.locator(".dgemma-viz-diagnosis").first.get_by_text("Severity")) == 1


def lines_of(locator):
    return locator.evaluate(
        "(node) => { const range = document.createRange(); range.selectNodeContents(node);"
        " return range.getClientRects().length; }"
    )
