"""The token canvas in Chromium speaks of every sampler in its own words and marks."""

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from tests.views.exported import CANVAS, exported

pytestmark = pytest.mark.browser

PROMPT = TASKS["sudoku"].example_prompts[1]


def keys(page):
    """Legend entries on screen, to how many tokens bear the mark."""
    shown = [key.inner_text().split("\n") for key in page.locator(".dgv-key:visible").all()[1:]]
    return {words: int(number) for words, number in shown}


def test_mask_tokens_are_no_text_and_the_prompt_is_no_output(chromium):
    trace = run(*dv.load_tiny("masked"), PROMPT, "llada2", {"threshold": 1.0, "max_denoising_steps": 8})
    with exported(chromium, trace, at=f"{CANVAS}&shows=noised") as visit:
        page = visit.page
        masks, outside = page.locator(".dgv-masked"), page.locator(".dgv-outside")
        assert masks.count() + outside.count() == page.locator(".dgv-token").count(), "nothing is unmasked yet"
        assert set(masks.all_inner_texts()) == {"▒"}
        assert {mask.get_attribute("aria-label") for mask in masks.all()} == {"mask"}
        assert page.get_by_role("option", name="mask").count() == masks.count()
        assert "".join(outside.all_inner_texts()).endswith("=")
        legend = keys(page)
        assert legend["unmasked"] + legend["masked"] == masks.count()
        assert legend["not in the output"] == outside.count()
        assert not {"accepted", "re-noised", "edited", "corrected", "not recorded"} & set(legend)


def test_a_corrector_sweep_is_called_that_and_its_tokens_are_marked(chromium):
    sweeps = {"corrector_steps": 2, "corrector_k": 6, "max_denoising_steps": 12, "temperature": 0.5}
    trace = run(*dv.load_tiny(), PROMPT, "discrete_ddim", sweeps, seed=2)
    with exported(chromium, trace, at=CANVAS) as visit:
        page = visit.page
        assert page.locator(".dgv-count").inner_text() == f"step 0 of {trace.n_steps - 1}"
        page.get_by_role("button", name="Step forward").click()
        assert page.locator(".dgv-count").inner_text().endswith(", corrector sweep")
        assert page.locator(".dgv-corrected").count() == keys(page)["corrected"] == 6
        page.locator(".dgv-corrected").first.hover()
        expect(page.locator(".dgv-tip")).to_contain_text("corrector sweep")


def test_what_was_not_recorded_is_not_called_re_noised(chromium):
    plain = run(*dv.load_tiny(), PROMPT)
    facts = replace(plain.facts, absent=("accepted",))
    silent = replace(plain, accepted=np.zeros_like(plain.accepted), decision=None, facts=facts)
    with exported(chromium, silent, at=CANVAS) as visit:
        legend = keys(visit.page)
        assert legend["not recorded"] == visit.page.locator(".dgv-token").count()
        assert not {"accepted", "re-noised"} & set(legend)
        assert visit.page.locator(".dgv-re-noised, .dgv-accepted").count() == 0
