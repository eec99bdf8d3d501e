"""Pages in a frame of another site: refused unless the publisher names its origin, and then they work there."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tests.browser import COMPLETE, PATIENCE, open_page, serve_dashboards

pytestmark = pytest.mark.browser

KERNEL = "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
DASHBOARD, TRACE = "dashboards/speed_lab", "traces/run.safetensors"


@contextmanager
def another_site():
    """A site of another host name; what its pages frame stands in their query."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            address = self.path.partition("?")[2]
            frame = f'<iframe src="{address}" width="900" height="700"></iframe>' if address else ""
            self.wfile.write(
                f'<!doctype html><link rel="icon" href="data:;base64,="><h1>Elsewhere</h1>{frame}'.encode()
            )

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"  # for a browser, another site than 127.0.0.1
        server.shutdown()


def test_a_page_cannot_be_framed_by_another_site(chromium, address):
    with another_site() as site:
        for path in ("", DASHBOARD, TRACE):
            with open_page(chromium, f"{site}/?{address}{path}", wait_for="h1") as visit:
                while not any("frame-ancestors 'self'" in error for error in visit.console_errors):
                    visit.page.wait_for_event("console")
                assert visit.page.frame_locator("iframe").locator("main").count() == 0


def test_a_page_works_in_a_frame_of_a_site_that_the_publisher_names(chromium, folder):
    with another_site() as site:
        origins = f"https://example.org {site}"
        options = ("--traces", str(folder), "--frame-ancestors", origins, "--disconnected-seconds", "1000")
        with serve_dashboards(*options, "--no-forked-kernels") as (address, _):
            with open_page(chromium, f"{site}/?{address}{TRACE}", wait_for="iframe") as visit:
                inside = visit.page.frame_locator("iframe")
                inside.locator(".dgv-token").first.click()
                inside.get_by_text("Position 0 at step 0").first.wait_for()
                inside.locator(".js-plotly-plot").first.wait_for()
                inside.get_by_role("link", name="All dashboards").click()
                inside.get_by_role("heading", name="Recorded traces").wait_for()
                assert visit.console_errors == []
            with open_page(chromium, f"{site}/?{address}{DASHBOARD}", wait_for="iframe") as visit:
                inside = visit.page.frame_locator("iframe")
                inside.locator(COMPLETE).wait_for()
                answers = inside.locator(".dgv-speed-ways")
                before = answers.inner_text()
                steps = inside.get_by_label("Steps of a canvas", exact=True)
                steps.fill("4")
                steps.press("Tab")
                expect(answers).not_to_have_text(before)  # a round trip through the websocket
                assert visit.page.context.cookies() == []  # a browser keeps none for another site's frame
                kernel = visit.page.frames[1].evaluate(KERNEL)
                visit.page.goto(site)
                until_gone(visit.page, f"{address}sessions/{kernel}")  # its place is free at once


def until_gone(page, session):
    deadline = time.monotonic() + PATIENCE / 1000
    while page.request.get(session).json() != {"state": "unknown"}:
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
