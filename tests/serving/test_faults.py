"""What a visitor sees when something breaks: the page says what happened and how to go on."""

import os
import signal

import psutil
import pytest

from tests.browser import end_process, free_port, open_page, serve_dashboards

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # ms
PAGE = "dashboards/01_watch_a_canvas_denoise"


def kernels_of(server):
    return [child for child in psutil.Process(server.pid).children() if "ipykernel" in " ".join(child.cmdline())]


def test_places_that_are_taken_kernels_that_die_and_a_server_that_restarts(chromium):
    port = str(free_port())
    options = ("--port", port, "--most-sessions", "2", "--preheated", "1")
    with (
        serve_dashboards(*options) as (address, server),
        open_page(chromium, address + PAGE, timeout=60) as first,
        open_page(chromium, address + "dashboards/speed_lab", wait_for=".dgv-home", timeout=60) as second,
    ):
        with open_page(chromium, address + "dashboards/speed_lab", wait_for="main") as third:
            assert third.page.get_by_role("heading", name="All places are taken").is_visible()
        first.page.reload(wait_until="domcontentloaded")  # takes no second place
        first.page.locator(".dgv-token").first.wait_for(timeout=PATIENCE)
        kernel = first.page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
        dying = next(child for child in kernels_of(server) if kernel in " ".join(child.cmdline()))
        os.kill(dying.pid, signal.SIGKILL)
        first.page.get_by_role("alert").get_by_text("has ended unexpectedly").wait_for(timeout=PATIENCE)
        assert second.page.locator("#dgv-session").count() == 0  # the other visitor goes on
        first.page.get_by_role("button", name="Reload").click()
        first.page.locator(".dgv-token").first.wait_for(timeout=PATIENCE)
        end_process(server)
        second.page.get_by_text("The server cannot be reached").wait_for(timeout=PATIENCE)
        with serve_dashboards(*options):
            second.page.get_by_text("the server was restarted").wait_for(timeout=PATIENCE)
            second.page.get_by_role("button", name="Reload").click()
            second.page.locator("#dgv-session").wait_for(state="detached", timeout=PATIENCE)
            second.page.locator(".dgv-home").wait_for(timeout=PATIENCE)


def test_a_session_that_nobody_uses_or_that_grows_too_large_ends_and_says_so(chromium):
    with (
        serve_dashboards("speed_lab", "--idle-seconds", "3") as (address, _),
        open_page(chromium, address, wait_for="#rendered_cells", timeout=60) as visit,
    ):
        visit.page.get_by_role("alert").get_by_text("nothing was done in it").wait_for(timeout=PATIENCE)
    with (
        serve_dashboards("speed_lab", "--most-session-megabytes", "50") as (address, _),
        open_page(chromium, address, wait_for="#dgv-session", timeout=60) as visit,
    ):
        assert "more memory than one visitor may use" in visit.page.get_by_role("alert").first.inner_text()
