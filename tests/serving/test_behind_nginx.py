"""The example configuration for nginx, with two servers under a base URL, in a real browser."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from importlib.resources import files

import pytest
from playwright.sync_api import expect

from tests.browser import COMPLETE, end_process, free_port, open_page, serve_dashboards

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("nginx"), reason="nginx is not installed (Debian: apt-get install nginx-light)"
    ),
]

ASKED_AGAIN = """async () => {
  const address = location.pathname + "/contents", first = await fetch(address, { cache: "no-store" });
  const etag = first.headers.get("etag");
  return (await fetch(address, { cache: "no-store", headers: { "If-None-Match": etag } })).status;
}"""


def test_two_servers_behind_nginx(chromium, folder, tmp_path):
    ports = free_port(), free_port(), free_port()
    example = (files("dgemma_viz.serving") / "deploy" / "nginx.conf").read_text()
    for example_port, port in zip(("8080", "8866", "8867"), ports, strict=True):
        assert example_port in example
        example = example.replace(example_port, str(port))
    example = example.replace(f"listen {ports[0]}", f"listen 127.0.0.1:{ports[0]}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"pid {tmp_path}/pid;\nerror_log {tmp_path}/errors;\ndaemon off;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{example}\n}}\n"
    )
    options = ("--base-url", "/dgemma/", "--proxied", "--no-forked-kernels", "--traces", str(folder))
    with (
        serve_dashboards(*options, "--port", str(ports[1])),
        serve_dashboards(*options, "--port", str(ports[2])),
    ):
        nginx = subprocess.Popen(["nginx", "-c", str(configuration)], start_new_session=True)
        try:
            address = f"http://127.0.0.1:{ports[0]}/dgemma/"
            wait_for(ports[0])
            with open_page(chromium, address, wait_for="main") as visit:
                page = visit.page
                with page.expect_response("**/viewer/plotly-*.js") as plotly:
                    page.get_by_role("link", name="run.safetensors").click()
                assert plotly.value.headers["cache-control"].endswith("immutable")
                page.locator(".dgv-token").first.click()
                page.get_by_text("Position 0 at step 0").first.wait_for()
                with page.expect_response("**/run.safetensors/contents") as contents:
                    page.reload()
                assert contents.value.headers["content-encoding"] == "gzip"
                assert contents.value.headers["etag"].startswith("W/")
                assert page.evaluate(ASKED_AGAIN) == 304
                page.get_by_role("link", name="All dashboards").click()
                page.locator("a[href$='/dashboards/speed_lab']").click()
                page.locator(COMPLETE).wait_for()
                answers = page.locator(".dgv-speed-ways")
                before = answers.inner_text()
                page.get_by_label("Steps of a canvas", exact=True).fill("4")
                page.keyboard.press("Tab")
                expect(answers).not_to_have_text(before)  # a round trip through the websocket
                with page.expect_response("**/sessions/*") as said:
                    pass
                assert said.value.json() == {"state": "running"}
                expect(page.locator("#dgv-session")).to_have_count(0)
                assert visit.console_errors == []
                assert visit.other_hosts == set()
        finally:
            end_process(nginx)


def wait_for(port):
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/dgemma/", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            assert time.monotonic() < deadline
            time.sleep(0.2)
