"""The token canvas in Chromium speaks of every sampler in its own words and marks."""

import pytest
from playwright.sync_api import expect

from tests.browser import open_page, serve_notebook

pytestmark = pytest.mark.browser

PAGE = """
from dataclasses import replace
import ipywidgets
import numpy as np
import dgemma_viz as dv
from dgemma_viz.labs.samplers import run_sampler
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.widgets.token_canvas import TokenCanvas
prompt = TASKS["sudoku"].example_prompts[1]
model, masked_model = dv.load_tiny(), dv.load_tiny_masked()
masked = run_sampler(*masked_model, prompt, "llada2", {"threshold": 1.0, "max_denoising_steps": 8})
sweeps = {"corrector_steps": 2, "corrector_k": 6, "max_denoising_steps": 12, "temperature": 0.5}
swept = run_sampler(*model, prompt, "discrete_ddim", sweeps, seed=2)
plain = run_sampler(*model, prompt)
silent = replace(plain, accepted=np.zeros_like(plain.accepted), decision=None,
                 facts=replace(plain.facts, absent=("accepted",)))
ipywidgets.VBox([
    TokenCanvas.of(masked.canvas_run(), title="masked", shows="noised"),
    TokenCanvas.of(swept.canvas_run(), title="swept"),
    TokenCanvas.of(silent.canvas_run(), title="silent"),
])
"""


@pytest.fixture(scope="module")
def page(chromium):
    with serve_notebook(PAGE) as url, open_page(chromium, url, height=1200) as visit:
        for name in ("masked", "swept", "silent"):
            visit.page.get_by_role("region", name=name).locator(".dgv-token").first.wait_for()
        yield visit.page
        assert visit.console_errors == []


def keys(region):
    """Legend entries on screen, to how many tokens bear the mark."""
    shown = [key.inner_text().split("\n") for key in region.locator(".dgv-key:visible").all()[1:]]
    return {words: int(number) for words, number in shown}


def test_mask_tokens_are_no_text_and_the_prompt_is_no_output(page):
    region = page.get_by_role("region", name="masked")
    masks = region.locator(".dgv-masked")
    outside = region.locator(".dgv-outside")
    assert masks.count() + outside.count() == region.locator(".dgv-token").count(), "nothing is unmasked yet"
    assert set(masks.all_inner_texts()) == {"▒"}
    assert {mask.get_attribute("aria-label") for mask in masks.all()} == {"mask"}
    assert region.get_by_role("option", name="mask").count() == masks.count()
    assert "".join(outside.all_inner_texts()).endswith("=")
    legend = keys(region)
    assert legend["unmasked"] + legend["masked"] == masks.count()
    assert legend["not in the output"] == outside.count()
    assert not {"accepted", "re-noised", "edited", "corrected", "not recorded"} & set(legend)


def test_a_corrector_sweep_is_called_that_and_its_tokens_are_marked(page):
    region = page.get_by_role("region", name="swept")
    assert region.locator(".dgv-count").inner_text() == "step 0 of " + region.locator(".dgv-slider").get_attribute(
        "max"
    )
    region.get_by_role("button", name="Step forward").click()
    assert region.locator(".dgv-count").inner_text().endswith(", corrector sweep")
    assert region.locator(".dgv-corrected").count() == keys(region)["corrected"] == 6
    region.locator(".dgv-corrected").first.hover()
    expect(region.locator(".dgv-tip")).to_contain_text("corrector sweep")


def test_what_was_not_recorded_is_not_called_re_noised(page):
    region = page.get_by_role("region", name="silent")
    legend = keys(region)
    assert legend["not recorded"] == region.locator(".dgv-token").count()
    assert not {"accepted", "re-noised"} & set(legend)
    assert region.locator(".dgv-re-noised, .dgv-accepted").count() == 0
