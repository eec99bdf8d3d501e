"""What a visitor sees when something breaks: the page says what happened and how to go on."""

import os
import signal
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import expect

from dgemma_viz.serving.forked_kernels import process_name
from tests.browser import COMPLETE, PATIENCE, end_process, free_port, open_page, serve_dashboards

pytestmark = pytest.mark.browser

PAGE = "dashboards/01_watch_a_canvas_denoise"
KERNEL = "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"


def kernel_of(page, server):
    """The process behind a page."""
    name = process_name(page.evaluate(KERNEL))
    return next(child for child in psutil.Process(server.pid).children(recursive=True) if child.name() == name)


def alert(page, words):
    page.get_by_role("alert").get_by_text(words).first.wait_for()


def session_of(page):
    """What a page is told of its session when it next asks."""
    with page.expect_response("**/sessions/*") as said:
        pass
    return said.value.json()["state"]


def reload(page, shows=".dgv-token"):
    page.get_by_role("button", name="Reload").click(no_wait_after=True)
    page.locator("#dgv-session").wait_for(state="detached")
    page.locator(shows).first.wait_for()


@contextmanager
def another_tab(visit, url):
    """A second page of the same visitor: same cookies, same address."""
    page = visit.page.context.new_page()
    page.goto(url, wait_until="domcontentloaded")
    yield page
    page.close()


def test_kernels_that_die_places_that_are_taken_and_a_server_that_restarts(chromium):
    port = str(free_port())
    options = ("--port", port, "--most-sessions", "2")
    with (
        serve_dashboards(*options) as (address, server),
        open_page(chromium, address + PAGE) as first,
        open_page(chromium, address + "dashboards/speed_lab", wait_for=COMPLETE) as second,
    ):
        with open_page(chromium, address + "dashboards/speed_lab", wait_for="main") as third:
            assert third.page.get_by_role("heading", name="All places are taken").is_visible()
        first.page.reload(wait_until="domcontentloaded")  # takes no second place
        first.page.locator(".dgv-token").first.wait_for()

        first.page.get_by_role("button", name="Run", exact=True).click()  # in slow motion
        first.page.get_by_text("denoising canvas").first.wait_for()
        first.page.locator(".dgv-run-panel .dgv-token").first.wait_for()
        os.kill(kernel_of(first.page, server).pid, signal.SIGKILL)
        alert(first.page, "has ended unexpectedly")
        assert first.page.locator(".dgv-run-panel .dgv-token").first.is_visible()  # what was there can still be read
        assert session_of(second.page) == "running"  # the other visitor goes on
        expect(second.page.locator("#dgv-session")).to_have_count(0)
        reload(first.page)

        kernel = kernel_of(first.page, server)
        memory = kernel.memory_full_info()
        assert memory.uss < memory.rss / 2  # the libraries are shared
        server.kill()
        kernel.wait(PATIENCE / 1000)  # ends with its server, however that ended
        alert(second.page, "The server cannot be reached")
        with serve_dashboards(*options) as (_, again):
            alert(second.page, "the server was restarted")
            reload(second.page, shows=COMPLETE)
            kernel = kernel_of(second.page, again)
            fork_server = kernel.parent()
            assert fork_server.num_threads() == 1  # a fork would lose others
            fork_server.kill()  # even then sessions go on, and new ones start
            reload(first.page)
            answers = second.page.locator(".dgv-speed-ways")
            before = answers.inner_text()
            second.page.get_by_label("Steps of a canvas", exact=True).fill("4")
            second.page.keyboard.press("Tab")
            expect(answers).not_to_have_text(before)
            assert session_of(second.page) == "running"
            os.kill(kernel.pid, signal.SIGKILL)
            alert(second.page, "has ended unexpectedly")
            end_process(again)
            assert again.returncode in (0, -signal.SIGINT)


def test_two_tabs_of_one_visitor_and_more_than_one_visitor_may_have(chromium):
    options = ("--most-sessions-per-visitor", "2", "--preheated", "1", "--most-steps", "48", "--proxied")
    with (
        serve_dashboards(*options) as (address, server),
        open_page(chromium, address + PAGE) as visit,
        another_tab(visit, address + PAGE) as tab,
    ):
        tab.locator(".dgv-token").first.wait_for()
        assert kernel_of(visit.page, server).pid != kernel_of(tab, server).pid
        steps = tab.locator(".dgv-run-panel").get_by_label("Steps", exact=True)
        steps.fill("49")
        steps.press("Tab")
        tab.get_by_role("button", name="Run", exact=True).click()
        tab.get_by_text("choose at most 48").wait_for()
        assert visit.page.get_by_text("choose at most 48").count() == 0  # the tabs know nothing of each other
        with another_tab(visit, address + PAGE) as third:
            assert third.get_by_role("heading", name="2 dashboards are open at your address").is_visible()
        elsewhere = chromium.new_context(extra_http_headers={"X-Forwarded-For": "203.0.113.7"}).new_page()
        elsewhere.goto(address + PAGE, wait_until="domcontentloaded")
        elsewhere.locator(".dgv-token").first.wait_for()
        elsewhere.context.close()
        tab.goto(address, wait_until="domcontentloaded")  # gives its place back
        tab.goto(address + PAGE, wait_until="domcontentloaded")
        tab.locator(".dgv-token").first.wait_for()


def test_a_session_that_nobody_uses_or_that_grows_too_large_ends_and_says_so(chromium):
    with (
        serve_dashboards("speed_lab", "--idle-seconds", "3", "--no-forked-kernels") as (address, _),
        open_page(chromium, address, wait_for=COMPLETE) as visit,
    ):
        alert(visit.page, "nothing was done in it")
    with (
        serve_dashboards("speed_lab", "--most-session-megabytes", "50", "--no-forked-kernels") as (address, _),
        open_page(chromium, address, wait_for="#dgv-session") as visit,
    ):
        alert(visit.page, "more memory than one visitor may use")
