"""`dgemma-viz serve --traces DIR` as strangers meet it: the gallery, the traces, and nothing else of the machine."""

import http.client
import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import nbformat
import pytest
from playwright.sync_api import expect

from dgemma_viz.serving.notebooks import notebooks_folder
from tests.accessibility import assert_accessible, tab_stops
from tests.browser import COMPLETE, open_page, serve_dashboards

pytestmark = pytest.mark.browser

SHOWN = "<img src=x onerror=alert(1)>⟨U+202E⟩␛[31m#?&%2f.safetensors"


def ask(address, path, method="GET"):
    """Status and body of exactly this path; nothing is tidied up on the way."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8", "replace"), answer.headers


@pytest.mark.parametrize(("width", "theme"), [(380, "dark"), (1280, "light")])
def test_the_gallery_names_every_dashboard_and_trace(chromium, address, width, theme):
    with open_page(chromium, f"{address}?theme={theme}", width=width, wait_for="main") as visit:
        page = visit.page
        for path in notebooks_folder().glob("*.ipynb"):
            title = json.loads(path.read_text())["metadata"]["title"]
            assert page.get_by_role("link", name=title, exact=True).count() == 1
        assert page.get_by_role("heading", name="Recorded traces").is_visible()
        assert page.get_by_role("link", name="recorded.safetensors", exact=True).is_visible()
        assert page.get_by_text("This file cannot be opened").count() == 1
        assert page.get_by_text(SHOWN).count() == 1
        assert page.locator("main img").count() == 0
        assert page.get_by_text("out.jsonl").count() + page.get_by_text("private.txt").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert visit.console_errors == []
        assert visit.other_hosts == set()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["", "traces/none.safetensors", "traces/broken.safetensors", "nothing"])
def test_axe_finds_nothing_serious(chromium, address, page, theme):
    with open_page(chromium, f"{address}{page}?theme={theme}", wait_for="h1") as visit:
        assert_accessible(visit.page)


def test_every_page_can_be_opened_by_keyboard(chromium, address):
    with open_page(chromium, address, wait_for="main") as visit:
        stops = tab_stops(visit.page)
        assert all(stop.seen for stop in stops)
        links = visit.page.get_by_role("link")
        assert [stop.name for stop in stops] == [name.strip()[:60] for name in links.all_inner_texts()]


def test_a_trace_opens_without_a_model_from_its_card(chromium, address):
    with open_page(chromium, address, wait_for="main") as visit:
        page = visit.page
        page.get_by_role("link", name=SHOWN).click()
        page.locator(".dgv-token").first.wait_for()
        expect(page.get_by_role("heading", name=SHOWN)).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.get_by_role("button", name="What if?").count() == 0
        assert visit.console_errors == []
        page.get_by_role("link", name="All dashboards").click()
        page.get_by_role("heading", name="Recorded traces").wait_for()


def test_traces_stand_beside_a_notebook_of_ones_own_that_reads_a_file_beside_it(chromium, folder, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(open('beside.txt').read())")])
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    (tmp_path / "beside.txt").write_text("read from beside")
    options = ("--traces", str(folder), "--no-forked-kernels")
    with serve_dashboards(str(tmp_path / "mine.ipynb"), *options) as (address, _):
        with open_page(chromium, f"{address}traces/run.safetensors") as visit:
            assert visit.page.locator(".dgv-token").count()
        with open_page(chromium, f"{address}dashboards/mine", wait_for=COMPLETE) as visit:
            visit.page.get_by_text("read from beside").wait_for()


def test_a_broken_trace_and_one_that_vanished_say_so(chromium, address, folder):
    with open_page(chromium, f"{address}traces/broken.safetensors", wait_for=None) as visit:
        visit.page.get_by_role("alert").get_by_text("truncated or not a safetensors").wait_for()
        assert str(folder) not in visit.page.content()
    with open_page(chromium, f"{address}traces/vanishing.safetensors") as visit:
        (folder / "vanishing.safetensors").unlink()
        visit.page.get_by_role("slider", name="Denoising step").press("ArrowRight")  # what is open stays open
        visit.page.reload(wait_until="domcontentloaded")
        visit.page.get_by_role("heading", name="This trace is not here").wait_for()


REPOSITORY_FILE = quote(str(Path(__file__).resolve()), safe="")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/dgemma",
        "/dgemma/nothing",
        "/dgemma/dashboards/",
        "/dgemma/dashboards/trace",
        "/dgemma/dashboards/no_such_dashboard.ipynb",
        "/dgemma/dashboards/..%2f..%2fpyproject",
        "/dgemma/dashboards/../../etc/passwd",
        f"/dgemma/dashboards/{REPOSITORY_FILE}",
        "/dgemma/traces/",
        "/dgemma/traces/out.jsonl",
        "/dgemma/traces/private.txt",
        "/dgemma/traces/..%2frun.safetensors",
        "/dgemma/traces/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/dgemma/traces/run.safetensors%00.jsonl",
        "/dgemma/files/01_watch_a_canvas_denoise.ipynb",
        "/dgemma/voila/files/01_watch_a_canvas_denoise.ipynb",
        "/dgemma/voila/files/",
        "/dgemma/voila/files/..%2f..%2fetc/passwd",
        "/dgemma/voila/tree",
        "/dgemma/voila/tree/",
        "/dgemma/voila/render/01_watch_a_canvas_denoise.ipynb",
        "/dgemma/voila/render/run.safetensors",
        "/dgemma/viewer/",
        "/dgemma/viewer/plotly.js",
        "/dgemma/viewer/..%2fpublished_trace.js",
        "/dgemma/traces/out.jsonl/contents",
        "/dgemma/traces/..%2frun.safetensors/contents",
        "/dgemma/traces/private.txt/places/0-0?of=x",
        "/dgemma/traces/private.txt/findings?of=x",
        "/dgemma/traces/run.safetensors/places/0-0",
        "/dgemma/traces/run.safetensors/places/..-..",
        "/dgemma/voila/api/contents",
        "/dgemma/voila/api/contents/01_watch_a_canvas_denoise.ipynb",
        "/dgemma/api/contents",
        "/dgemma/api/kernels",
        "/dgemma/api/sessions",
        "/dgemma/api/kernels/00000000-0000-0000-0000-000000000000",
        "/dgemma/voila/static/../../../../../../etc/passwd",
        "/dgemma/voila/static/..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/dgemma/voila/static//etc/passwd",
        "/dgemma/voila/templates/dgemma/static/..%2findex.html.j2",
        "/dgemma/voila/templates/dgemma/static/../index.html.j2",
        "/dgemma/voila/templates/..%2f..%2fstatic/x",
        "/dgemma/voila/labextensions/..%2f..%2f..%2fetc/passwd",
        "/dgemma/voila/api/themes/..%2f..%2f..%2fetc/passwd",
        "/dgemma/?theme=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/dgemma/dashboards/speed_lab?theme=x",
    ],
)
def test_nothing_else_is_served(address, path):
    status, body, _ = ask(address, path)
    assert status in (400, 403, 404, 500)
    assert not any(
        leak in body for leak in ("Traceback", "root:", "hush-hush", "nbformat", "<script>alert", "/site-packages")
    )
    assert ".py" not in body.replace("jupyter", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/dgemma/", "/dgemma/dashboards/speed_lab", "/dgemma/traces/run.safetensors"])
def test_nothing_can_be_written(address, folder, method, path):
    before = sorted(entry.name for entry in folder.iterdir())
    status, body, _ = ask(address, path, method)
    assert status in (204, 403, 405)
    assert "Traceback" not in body
    assert sorted(entry.name for entry in folder.iterdir()) == before


def test_a_session_nobody_knows_is_gone(address):
    status, body, _ = ask(address, "/dgemma/sessions/00000000-0000-0000-0000-000000000000")
    assert (status, json.loads(body)) == (200, {"state": "unknown"})


def test_a_link_from_notebook_to_notebook_leads_to_the_dashboard(address):
    status, _, headers = ask(address, "/dgemma/dashboards/speed_lab.ipynb")
    assert (status, headers["Location"]) == (302, "speed_lab")
