"""A published trace as it comes over HTTP: what may be kept, what is asked again, and its page in a real browser."""

import gzip
import http.client
import json
import os
import re
from urllib.parse import quote, urlsplit

import psutil
import pytest
from playwright.sync_api import expect

from dgemma_viz.trace import save_trace
from dgemma_viz.views.contents import unframe
from tests.accessibility import assert_accessible
from tests.browser import assert_fits, open_page
from tests.serving.conftest import HOSTILE
from tests.synthetic import synthetic_trace

pytestmark = pytest.mark.browser

SHOWN = "<img src=x onerror=alert(1)>⟨U+202E⟩␛[31m#?&%2f.safetensors"


def get(address, path, **headers):
    """Status, headers and body; names of headers with underscores."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", urlsplit(address).path + path, headers={"Accept-Encoding": "gzip", **sent})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def contents_of(address, name="run.safetensors"):
    return json.loads(gzip.decompress(get(address, f"traces/{quote(name, safe='')}/contents")[2]))


def test_modules_are_kept_for_ever_and_contents_are_asked_again(address):
    status, headers, body = get(address, "traces/run.safetensors")
    assert (status, headers["Content-Encoding"], headers["Cache-Control"]) == (200, "gzip", "no-cache")
    modules = re.findall(rb'"\.\./(viewer/[\w.-]+)"', gzip.decompress(body))
    assert len(modules) == 2
    for module in modules:
        status, headers, body = get(address, module.decode())
        assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in headers
        assert b"export default" in gzip.decompress(body)
    edition = contents_of(address)["edition"]
    for part in ("contents", f"findings?of={edition}", f"places/2-1?of={edition}"):
        status, headers, body = get(address, f"traces/run.safetensors/{part}")
        assert (status, headers["Cache-Control"], headers["Etag"]) == (200, "no-cache", f'W/"{edition}"')
        again, _, nothing = get(address, f"traces/run.safetensors/{part}", If_None_Match=headers["Etag"])
        assert (again, nothing) == (304, b"")
        _, plain, whole = get(address, f"traces/run.safetensors/{part}", Accept_Encoding="identity")
        assert "Content-Encoding" not in plain
        assert whole == gzip.decompress(body)
    place, _ = unframe(whole)
    assert (place["positions"], len(place["runs"])) == (12, 1)


def test_nothing_runs_on_the_page_but_the_servers_own_modules(address):
    _, headers, body = get(address, "traces/run.safetensors")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in gzip.decompress(body)


def kernels(process):
    children = psutil.Process(process.pid).children(recursive=True)
    return {child.pid for child in children if any("ipykernel_launcher" in word for word in child.cmdline())}


def test_no_kernel_runs_for_it(chromium, served):
    before = kernels(served.process)
    with open_page(chromium, f"{served.address}traces/run.safetensors") as visit:
        visit.page.locator(".js-plotly-plot").first.wait_for()
        assert kernels(served.process) <= before
        assert not any("/sessions/" in asked or "/api/" in asked for asked in visit.requests)


@pytest.mark.parametrize(("width", "theme"), [(380, "dark"), (1280, "light")])
def test_the_page_is_whole_in_both_themes_on_narrow_and_wide_screens(chromium, address, width, theme):
    url = f"{address}traces/{quote(HOSTILE, safe='')}?theme={theme}"
    with open_page(chromium, url, width=width) as visit:
        page = visit.page
        expect(page.get_by_role("heading", name=SHOWN)).to_be_visible()
        assert page.title() == f"{SHOWN} · dgemma_viz"
        for position in range(0, 12, 3):
            page.locator(".dgv-token").nth(position).hover()
            page.locator(".dgv-token").nth(position).click()
        page.get_by_text("Position 9 at step 0").first.wait_for()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"dark": "rgb(17, 17, 17)", "light": "rgb(255, 255, 255)"}[theme]
        assert page.locator("img").count() == 0
        assert_fits(page)
        assert_accessible(page)
        assert visit.console_errors == []
        assert visit.other_hosts == set()
        page.get_by_role("link", name="All dashboards").click()
        page.get_by_role("heading", name="Recorded traces").wait_for()
        assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_a_link_leads_to_a_place_and_the_address_follows(chromium, address):
    url = f"{address}traces/run.safetensors#canvas=2&sample=1&step=1&position=5&quantity=entropy"
    with open_page(chromium, url) as visit:
        page = visit.page
        page.get_by_text("Position 5 at step 1").first.wait_for()
        assert page.get_by_label("Canvas", exact=True).input_value() == "2"
        assert page.get_by_label("Sample", exact=True).input_value() == "1"
        assert page.get_by_label("Colour").input_value() == "entropy"
        assert not any("/places/0-0" in asked for asked in visit.requests)
        page.locator("body").press("ArrowLeft")
        page.wait_for_url("**/run.safetensors#canvas=2&sample=1&position=5&quantity=entropy")
        page.evaluate("location.hash = '#canvas=1&position=3'")
        page.get_by_text("Position 3 at step 0").first.wait_for()
        assert visit.console_errors == []


def test_a_file_that_is_replaced_spoilt_or_deleted_while_it_is_open_says_so(chromium, address, folder):
    file, other = folder / "changing.safetensors", folder / "other.tmp"
    save_trace(synthetic_trace(canvases=2), file)
    with open_page(chromium, f"{address}traces/changing.safetensors") as visit:
        page = visit.page
        page.get_by_text("nothing found").or_(page.get_by_text("warning")).first.wait_for()
        save_trace(synthetic_trace(canvases=2, seed=1), other)
        other.replace(file)
        page.get_by_role("slider", name="Denoising step").press("ArrowRight")  # what is open stays open
        page.get_by_text("step 1 of").first.wait_for()
        page.get_by_label("Canvas", exact=True).select_option("1")
        page.get_by_text("Canvas 1 cannot be shown: the file was replaced meanwhile; reload the page").wait_for()
        page.reload()
        page.get_by_label("Canvas", exact=True).select_option("1")
        expect(page.get_by_text("cannot be shown")).to_have_count(0)
        page.get_by_label("Canvas", exact=True).select_option("0")
        page.wait_for_url(lambda url: "canvas" not in url)  # or a reload opens canvas 1
        file.write_bytes(b"junk")
        page.reload()
        page.get_by_role("alert").get_by_text("'changing.safetensors' is truncated or not a safetensors").wait_for()
        save_trace(synthetic_trace(canvases=2), file)
        page.reload()
        page.locator(".dgv-token").first.wait_for()
        file.unlink()
        page.get_by_label("Canvas", exact=True).select_option("1")
        page.get_by_text("Canvas 1 cannot be shown: there is no published trace 'changing.safetensors'").wait_for()
        page.reload()
        page.get_by_role("heading", name="This trace is not here").wait_for()


def test_what_is_refused_says_why(address, folder):
    edition = contents_of(address)["edition"]
    refused = {
        "run.safetensors/places/0-0?of=older": (409, "replaced meanwhile"),
        f"run.safetensors/places/3-0?of={edition}": (422, "'run.safetensors' has no such canvas"),
        f"run.safetensors/places/999999-0?of={edition}": (422, "has no such canvas"),
        "broken.safetensors/contents": (422, "truncated or not a safetensors file"),
        "none.safetensors/contents": (404, "there is no published trace 'none.safetensors'"),
        "%3Cb%3E%1b.jsonl/contents": (404, "'<b>\\x1b.jsonl'"),
    }
    for path, (status, words) in refused.items():
        found, headers, body = get(address, f"traces/{path}")
        message = json.loads(body)["message"]
        assert (found, words in message) == (status, True), (path, found, message)
        assert "Etag" not in headers
        assert os.fspath(folder) not in message
