"""The exported file in a real browser, opened from disk: all works, nothing is asked for, nothing hostile runs."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.analysis.acceptance import why
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures import heatmap
from dgemma_viz.glossary import explain
from dgemma_viz.widgets.compared_position import numbers_html
from tests.accessibility import LOOKS, assert_accessible, tab_stops
from tests.browser import SHARES, assert_fits, open_page
from tests.synthetic import NASTY_TEXTS, synthetic_trace

MOST_BYTES = 6_000_000
HOSTILE = (
    *NASTY_TEXTS,
    "</script><script>window.ran=1</script>",
    "<!--<script>",
    "<img src=x onerror='window.ran=1'>",
    "\u2028\u2029",
)
TEXT_OF = """html => {
  const node = document.createElement("div");
  node.innerHTML = html;
  document.body.append(node);
  const text = node.querySelector("table").innerText;
  node.remove();
  return text;
}"""


@pytest.fixture(scope="module")
def released_size(tmp_path_factory):
    """One canvas of the released model's size, exported."""
    trace = synthetic_trace(length=256, steps=48)
    return trace, dv.export_html(trace, tmp_path_factory.mktemp("export") / "run.html")


def only_itself(visit, path):
    """What the page asked for besides itself and what it unpacked."""
    return [url for url in visit.requests if url != path.as_uri() and not url.startswith("blob:")]


def shown_tokens(page):
    return page.locator(".dgv-token .dgv-text").all_inner_texts()


@pytest.mark.browser
def test_everything_of_a_canvas_works_from_disk(released_size, chromium):
    trace, path = released_size
    assert path.stat().st_size < MOST_BYTES
    with open_page(chromium, path.as_uri()) as visit:
        page = visit.page
        page.locator(".heatmaplayer image").first.wait_for(state="attached")
        expect(page.locator(SHARES)).to_have_count(0)
        first = shown_tokens(page)
        page.keyboard.press("End")
        page.locator(f'.dgv[data-step="{trace.n_steps - 1}"]').wait_for()
        assert shown_tokens(page) != first
        page.get_by_role("slider").first.press("Home")
        page.locator('.dgv[data-step="0"]').wait_for()
        assert shown_tokens(page) == first
        page.get_by_role("button", name="Play").click()
        page.locator('.dgv:not([data-step="0"]):not([data-step="1"])').wait_for()
        page.get_by_role("button", name="Pause").click()

        token = page.locator(".dgv-token").nth(7)
        token.hover()
        page.get_by_role("tooltip").get_by_text("most probable tokens").wait_for()
        token.click()
        inspector = page.get_by_role("region", name="Inspector", exact=True)
        step = page.locator(".dgv").get_attribute("data-step")
        inspector.get_by_role("heading", name=f"Position 7 at step {step}").wait_for()
        inspector.get_by_role("button", name="30", exact=True).click()
        inspector.get_by_role("heading", name="Position 7 at step 30").wait_for()
        page.locator('.dgv[data-step="30"]').wait_for()
        confidence = float(trace.canvas_run(0, 0).array("confidence")[30, 7])
        expect(inspector).to_contain_text(f"{confidence:.3f}")
        inspector.get_by_role("row", name=f"why {why(trace.canvas_run(), 30, 7)} derived").wait_for()
        inspector.get_by_role("row", name=re.compile("emitted token ever accepted (yes|no) derived")).wait_for()

        inspector.get_by_role("button", name="commit step", exact=True).click()
        inspector.get_by_text(explain("commit step").meaning).wait_for()
        page.keyboard.press("Escape")

        page.get_by_label("Colour").select_option("entropy")
        page.get_by_text("colour: entropy (nats)").wait_for()
        assert not visit.console_errors
        assert not only_itself(visit, path)


@pytest.mark.browser
def test_the_map_shows_the_recorded_values_and_a_click_in_it_selects(released_size, chromium):
    trace, path = released_size
    with open_page(chromium, path.as_uri()) as visit:
        page = visit.page
        chart = page.locator(".js-plotly-plot").first
        chart.locator(".heatmaplayer image").first.wait_for(state="attached")
        for name in ("confidence", "flips", "accepted", "commit_step"):
            page.get_by_label("Colour").select_option(name)
            page.locator(f".dge-panel[data-quantity={name}]").wait_for()
            shown = np.array(chart.evaluate("chart => chart.data[0].z"), dtype=float)
            np.testing.assert_allclose(shown, heatmap(trace, 0, 0, name).data[0].z, rtol=1e-5)
        plot = chart.locator(".nsewdrag").first
        box = plot.bounding_box()
        plot.click(position={"x": box["width"] * 100.5 / 256, "y": box["height"] * 20.5 / 48})
        page.get_by_role("heading", name="Position 100 at step 20").wait_for()
        assert not visit.console_errors


@pytest.mark.browser
def test_canvases_samples_and_findings_can_be_chosen_and_no_token_text_runs(tmp_path, chromium):
    trace = synthetic_trace(length=24, canvases=2, samples=2, steps=[[9, 5], [7, 0]], texts=HOSTILE, seed=3)
    path = dv.export_html(trace, tmp_path / "hostile.html")
    with open_page(chromium, path.as_uri(), width=380) as visit:
        page = visit.page
        page.locator(".dgf-finding").first.click()
        page.get_by_label("Canvas", exact=True).select_option("1")
        page.get_by_text("step 0 of 6", exact=True).wait_for()
        page.locator(".dgv-token").first.click()
        page.get_by_role("heading", name="Position 0 at step 0").wait_for()
        page.get_by_label("Sample", exact=True).select_option("1")
        page.get_by_text("had ended before canvas 1").wait_for()
        page.get_by_label("Canvas", exact=True).select_option("0")
        page.get_by_text("step 0 of 4", exact=True).wait_for()
        page.locator(".js-plotly-plot").first.hover()
        assert page.evaluate("window.ran") is None
        assert_fits(page)
        assert page.locator("#page img, #page a:not(.dgx-source), #page script").count() == 0
        assert not visit.console_errors
        assert not only_itself(visit, path)
    source = path.read_text(encoding="utf-8")
    assert len(re.findall(r"<script", source)) == 4
    assert "onerror" not in source.split("</style>")[1].split("<script>")[0]


@pytest.mark.browser
def test_two_traces_move_together(tmp_path, chromium):
    a, b = synthetic_trace(steps=[[9]]), synthetic_trace(seed=1, steps=[[6]])
    b = replace(b, facts=replace(b.facts, sampler="DiscreteDDIMScheduler"))  # which has no bound to tell why
    path = dv.export_html((a, b), tmp_path / "pair.html")
    with open_page(chromium, path.as_uri()) as visit:
        page = visit.page
        page.get_by_text("First difference").first.wait_for()
        page.locator(".dgv-token").nth(3).click()
        page.get_by_role("slider").first.press("End")
        page.get_by_role("heading", name="run A: position 3 at step 8").wait_for()
        page.get_by_role("heading", name="run B: position 3 at step 5").wait_for()
        table = page.get_by_role("table", name="Position 3")
        expected = numbers_html([a.canvas_run(), b.canvas_run()], [8, 5], 3)
        assert table.inner_text().split() == page.evaluate(TEXT_OF, expected).split()
        assert table.locator(".dgc-changed").count() == expected.count("dgc-changed") > 0
        table.get_by_role("row", name=re.compile("≠ why .* – derived")).wait_for()
        expect(page.locator(".dgv").nth(1)).to_have_attribute("data-step", "5")
        page.get_by_role("button", name="Jump to the first difference").click()
        page.get_by_role("heading", name=re.compile(r"run A: position \d+ at step 0")).wait_for()
        expect(page.locator(".js-plotly-plot")).to_have_count(2)
        assert not visit.console_errors
        assert not only_itself(visit, path)


@pytest.mark.browser
@pytest.mark.parametrize("compared", [False, True], ids=["one", "two"])
def test_axe_finds_nothing_serious_and_tab_goes_through(tmp_path, chromium, compared):
    traces = [synthetic_trace(length=24, steps=[[4], [5]], canvases=2, seed=seed) for seed in range(1 + compared)]
    path = dv.export_html(traces if compared else traces[0], tmp_path / "page.html")
    with open_page(chromium, path.as_uri()) as visit:
        page = visit.page
        token = page.locator(".dgv-token").nth(3)
        token.focus()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="osition 3 at step 0").first.wait_for()
        figure = page.get_by_role("img", name="Selected: step 0, position 3")
        figure.wait_for()
        page.keyboard.press(".")
        figure = page.get_by_role("img", name="Selected: step 1, position 3")
        figure.wait_for()
        assert "A map, position (24) by denoising step (4)" in figure.get_attribute("aria-label")
        for width, scheme, rules in ((1280, "light", ()), (380, "light", ()), (380, "dark", LOOKS)):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(500)
            assert_accessible(page, rules)
        stops = tab_stops(page)
        assert [stop for stop in stops if not (stop.seen and stop.name)] == []
        reached = [stop.name for stop in stops]
        for name in ("Canvas", "Denoising step", "Play (space)", "Keyboard (?)"):
            assert any(name in one for one in reached)
        assert not visit.console_errors


@pytest.mark.browser
def test_a_log_of_another_runtime_and_a_run_that_broke_off_say_what_is_missing(tmp_path, chromium):
    log = synthetic_trace(steps=[[4]])
    log = replace(log, entropy=np.full_like(log.entropy, np.nan), facts=replace(log.facts, absent=("entropy",)))
    path = dv.export_html(log, tmp_path / "log.html")
    with open_page(chromium, path.as_uri()) as visit:
        visit.page.get_by_text("Not recorded", exact=True).wait_for()
        visit.page.locator(".dgv-token").first.click()
        visit.page.get_by_role("row", name="entropy not recorded measured").wait_for()
        visit.page.get_by_label("Colour").select_option("entropy")
        visit.page.get_by_text("colour: entropy (nats) · not recorded").wait_for()
        assert not visit.console_errors
    path = dv.export_html(without_steps(synthetic_trace(steps=[[4]])), tmp_path / "none.html")
    with open_page(chromium, path.as_uri(), wait_for=".dgv-message") as visit:
        visit.page.get_by_text("holds no denoising steps").wait_for()
        assert not visit.console_errors


def without_steps(trace):
    """What is left of a run that failed before its first step."""
    arrays = {
        one.name: value[:0]
        for one in fields(trace)
        if isinstance(value := getattr(trace, one.name), np.ndarray) and len(value) == trace.n_steps
    }
    rest = {"emitted": trace.emitted[:0], "past_end": trace.past_end[:0]}
    return replace(trace, **arrays, **rest, facts=replace(trace.facts, status="failed", error="no memory"))


def test_what_cannot_be_exported_is_said(tmp_path):
    trace = synthetic_trace()
    with pytest.raises(TraceError, match=r"a dict cannot be exported"):
        dv.export_html({}, tmp_path / "x.html")
    with pytest.raises(SettingError, match="does not exist"):
        dv.export_html(trace, tmp_path / "nowhere" / "x.html")
    with pytest.raises(SettingError, match="is a folder"):
        dv.export_html(trace, tmp_path)
    assert not list(tmp_path.iterdir())
