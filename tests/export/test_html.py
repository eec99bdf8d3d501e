"""The exported file itself: what is in it, how large it is, and what cannot be exported. Its page: ``tests/views``."""

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from tests.browser import SHARES, open_page
from tests.synthetic import synthetic_trace
from tests.views.exported import DRAWN, exported, step_of
from tests.views.hostile_tokens import HOSTILE

MOST_BYTES = 6_000_000


@pytest.mark.browser
def test_a_canvas_of_the_released_size_opens_from_disk_and_asks_for_nothing(tmp_path, chromium):
    trace = synthetic_trace(length=256, steps=48)
    path = dv.export_html(trace, tmp_path / "run.html")
    assert path.stat().st_size < MOST_BYTES
    with open_page(chromium, path.as_uri()) as visit:
        visit.page.locator(DRAWN).nth(1).wait_for()
        expect(visit.page.locator(SHARES)).to_have_count(0)
        visit.page.keyboard.press("End")
        assert step_of(visit.page) == 47
        assert {url.split(":")[0] for url in visit.requests} == {"file", "blob"}
        assert visit.requests[0] == path.as_uri()
        assert not visit.console_errors


@pytest.mark.browser
def test_a_log_of_another_runtime_says_what_is_missing(chromium):
    log = synthetic_trace(steps=[[4]])
    log = replace(log, entropy=np.full_like(log.entropy, np.nan), facts=replace(log.facts, absent=("entropy",)))
    with exported(chromium, log) as visit:
        visit.page.get_by_text("Not recorded", exact=True).wait_for()
        visit.page.locator(".dgv-token").first.click()
        visit.page.get_by_role("row", name="entropy not recorded measured").wait_for()
        visit.page.get_by_label("Colour").select_option("entropy")
        visit.page.get_by_text("colour: entropy (nats) · not recorded").wait_for()


@pytest.mark.browser
def test_a_browser_that_is_too_old_is_told_so(tmp_path, chromium):
    path = dv.export_html(synthetic_trace(), tmp_path / "run.html")
    page = chromium.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(path.as_uri())
    expect(page.locator("#page")).to_have_text(re.compile("this browser is too old"))
    page.close()


def test_places_stand_apart_and_nothing_in_a_trace_ends_its_element(tmp_path):
    trace = synthetic_trace(length=24, canvases=2, samples=2, steps=[[9, 5], [7, 0]], texts=HOSTILE, seed=3)
    source = dv.export_html(trace, tmp_path / "run.html").read_text(encoding="utf-8")
    elements = re.findall(r'<script type="text/plain" id="([\w-]+)">([^<]*)</script>', source)
    places = [f"place-{canvas}-{sample}" for canvas in (0, 1) for sample in (0, 1)]
    assert [name for name, _ in elements] == ["viewer", "contents", *places, "plotly"]
    assert all(re.fullmatch(r"[\w+/=]+", packed) for _, packed in elements)
    assert source.count("<script") == len(elements) + 1
    assert "onerror" not in source


def test_what_cannot_be_exported_is_said(tmp_path):
    trace = synthetic_trace()
    with pytest.raises(SettingError, match="does not exist"):
        dv.export_html(trace, tmp_path / "nowhere" / "x.html")
    with pytest.raises(SettingError, match="is a folder"):
        dv.export_html(trace, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_shown_in_a_notebook_can_be_exported(tmp_path):
    a, b = synthetic_trace(), synthetic_trace(seed=1)
    for shown, what in ((dv.explore(a), a), (dv.compare(a, b), (a, b))):
        files = [dv.export_html(one, tmp_path / f"{n}.html").read_bytes() for n, one in enumerate((shown, what))]
        assert len(files[0]) == pytest.approx(len(files[1]), rel=1e-3)
