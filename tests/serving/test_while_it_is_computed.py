"""A page can be read while it is computed, and what was being read stays where it is when the views come."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import expect

from tests.browser import COMPLETE, open_page

pytestmark = pytest.mark.browser

TALL = "import ipywidgets as ipw\nipw.HTML('<p style=\"height: 900px\">the view</p>')"
PENDING = "getComputedStyle(document.querySelector('.jp-OutputArea-child'), '::before').content"
TOP = "document.querySelector('#here').getBoundingClientRect().top"


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


@pytest.fixture
def url(serve, gate, tmp_path):
    cells = [
        new_markdown_cell("# Title\n\n" + "What this is about. " * 200),
        new_code_cell(TALL),
        new_markdown_cell('<p id="here">Read here.</p>\n\n' + "And on it goes. " * 800),
        new_code_cell(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.1)\nprint('done')"),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "page.ipynb")
    with serve(tmp_path / "page.ipynb") as url:
        yield url


@pytest.mark.parametrize("width", [380, 1280])
def test_the_text_is_there_and_stays_where_it_is(chromium, url, gate, width):
    with open_page(chromium, url, width=width, wait_for="#here", whole=False) as visit:
        page = visit.page
        expect(page.get_by_role("status")).to_contain_text("part 4 of 4")
        assert "appears when all parts are ready" in page.evaluate(PENDING)
        assert page.get_by_text("the view").count() == 0
        page.evaluate("document.querySelector('#here').scrollIntoView()")
        page.wait_for_function(f"window.scrollY > 0 && Math.abs({TOP}) < 2")
        gate.touch()
        page.locator(COMPLETE).wait_for()
        page.get_by_text("the view").wait_for(state="attached")
        page.wait_for_function(f"document.body.scrollHeight > 1500 && Math.abs({TOP}) < 2")
        assert page.evaluate(PENDING) == "none"
        page.mouse.wheel(0, -200)  # and then it is the reader's again
        page.wait_for_function(f"Math.abs({TOP} - 200) < 2")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert not visit.console_errors
