"""A notebook saved with its outputs and opened without its kernel shows what its viewers showed, as a picture."""

from copy import deepcopy

import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect

from dgemma_viz.widgets.prediction import NEEDS_A_PAGE
from tests.browser import assert_fits, open_page
from tests.front_ends import notebook_of, run_cell, serve_in
from tests.synthetic import synthetic_trace

pytestmark = pytest.mark.browser
NOT_FOUND = "model not found"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A notebook as it is after it was run, with the state of its widgets."""
    path = tmp_path_factory.mktemp("trace") / "run.safetensors"
    synthetic_trace(canvases=2, length=40, steps=[[4], [3]]).save(path)
    notebook = notebook_of(
        [
            f"import dgemma_viz as dv\ntrace = dv.load_trace({str(path)!r})",
            "dv.explore(trace)",
            "dv.compare(trace, trace)",
            "from dgemma_viz.widgets.predict import Mark\nMark('Which?', trace, 0, lambda: 'what follows')",
        ]
    )
    NotebookClient(notebook).execute()
    return notebook


def pictures_of(page):
    expect(page.locator(".dgs:visible")).to_have_count(3)
    explored, compared, asked = page.locator(".dgs").all()
    expect(explored).to_contain_text("Findings")
    expect(explored).to_contain_text("✓ complete")
    expect(compared).to_contain_text("No difference")
    expect(asked).to_contain_text("Predict first. Which?")
    expect(asked).to_contain_text(NEEDS_A_PAGE)


@pytest.mark.parametrize("with_state", [True, False])
def test_a_page_made_of_it_shows_pictures_without_a_network(saved, with_state, chromium, tmp_path):
    notebook = deepcopy(saved)
    assert notebook.metadata.widgets
    if not with_state:
        del notebook.metadata["widgets"]
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    with open_page(chromium, "about:blank", wait_for=None, width=380) as visit:
        visit.page.context.set_offline(True)
        visit.page.goto((tmp_path / "page.html").as_uri())
        pictures_of(visit.page)
        assert_fits(visit.page)
        expect(visit.page.get_by_text(NOT_FOUND)).to_have_count(0)


RESTART = """async () => {
  const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
  for (const { id } of await (await fetch("/api/kernels")).json())
    await fetch(`/api/kernels/${id}/restart`, { method: "POST", headers: { "X-XSRFToken": xsrf } });
}"""


def test_jupyterlab_shows_pictures_until_cells_are_run_and_after_the_kernel_is_gone(saved, chromium):
    notebook = deepcopy(saved)
    for cell in notebook.cells:
        cell.execution_count = None  # so that a run which the kernel has heard of can be told from the saved one
    with serve_in("jupyterlab", notebook) as url, open_page(chromium, url, wait_for=".dgs") as visit:
        page = visit.page
        pictures_of(page)  # sanitized: the notebook is not trusted
        expect(page.locator(".dgs span[style*='background']").first).to_be_visible()
        expect(page.get_by_text(NOT_FOUND)).to_have_count(0)

        for n in range(len(saved.cells)):
            run_cell(page, n)
        page.locator(".dge").nth(1).get_by_text("No difference").wait_for()
        page.locator(".dgk-token").first.wait_for()
        expect(page.locator(".dgs")).to_have_count(3)
        expect(page.locator(".dgs:visible")).to_have_count(0)

        page.keyboard.press("Control+s")
        page.locator(".jp-Document .jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty").first.wait_for(state="detached")
        page.evaluate(RESTART)
        page.goto(url)
        page.get_by_text(NOT_FOUND).nth(2).wait_for(state="attached")
        pictures_of(page)
        expect(page.get_by_text(NOT_FOUND).locator("visible=true")).to_have_count(0)
