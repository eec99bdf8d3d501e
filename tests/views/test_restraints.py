"""Given, clamped and banned tokens on the page: marks, their counts, and no colour where there is no confidence."""

import numpy as np
import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.restraints import banned_drafts, clamped
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.views.position_rows import rows_of
from dgemma_viz.views.records import BANNED, CLAMPED, GIVEN, restraints_json
from dgemma_viz.views.run_header import facts_of
from dgemma_viz.views.still_text import output_of
from tests import restrained
from tests.accessibility import assert_accessible
from tests.views.exported import CANVAS, exported, go, step_of

HELD = [place for place in range(48) if not restrained.HOLE.start <= place < restrained.HOLE.stop]


def test_a_run_without_restraints_sends_nothing_of_them():
    run = restrained.plain().canvas_run()
    assert restraints_json(run) == {}
    assert not {"left", "own_draft"} & {row.kind for row in rows_of(run)}


def test_flags_counts_and_banned_drafts_are_those_of_the_trace():
    run = restrained.forced().canvas_run()
    told = restraints_json(run)["restraints"]
    flags = np.array([[int(digit) for digit in row] for row in told["flags"]])
    np.testing.assert_array_equal(flags & CLAMPED > 0, clamped(run))
    np.testing.assert_array_equal(flags & BANNED > 0, banned_drafts(run))
    assert not (flags & GIVEN).any()
    assert [{int(place) for place in drafts} for drafts in told["drafts"]] == [{2, 6}] * run.n_steps
    alike = restraints_json(restrained.suppressing().canvas_run())["restraints"]["banned"]
    assert alike == [2] * len(alike)


def test_the_head_names_what_the_call_was_given():
    held = dict(facts_of(restrained.infilled(), 0))
    assert held["first canvas"] == "given by the caller"
    assert held["logits processors"].startswith("Clamp, ")
    assert not {"first canvas", "logits processors"} & {*dict(facts_of(restrained.plain(), 0))}


@pytest.mark.parametrize("name", ["confidence", "entropy", "candidate_probability"])
def test_a_clamped_position_has_no_value_to_colour(name):
    run = restrained.forced().canvas_run()
    quantity = quantity_of(run.trace, name)
    np.testing.assert_array_equal(np.isnan(quantity.values(run)), clamped(run))
    assert quantity.text(np.nan).startswith("clamped")
    assert np.isnan(output_of(run.trace, 0).confidence[[2, 6]]).all()


@pytest.fixture(scope="module")
def infilled(chromium):
    with exported(chromium, restrained.infilled(t_min=1.0, t_max=2.0), at=CANVAS, width=1280, height=700) as visit:
        yield visit.page


def marked(page, kind):
    return [int(cell.get_attribute("data-position")) for cell in page.locator(f".dgv-token.dgv-{kind}").all()]


def count(page, words):
    return page.locator(".dgv-key", has_text=words).locator("b").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("layout", ["grid", "reading"])
def test_what_was_given_and_held_is_marked_and_has_no_colour(infilled, layout):
    go(infilled, f"views=canvas&layout={layout}")
    infilled.locator(f".dgv-{layout}").wait_for()
    assert step_of(infilled) == 0
    assert marked(infilled, "given") == list(range(48))
    assert marked(infilled, "clamped") == HELD
    assert (count(infilled, "given"), count(infilled, "clamped")) == ("48", "42")
    expect(infilled.locator(".dgv-key", has_text="banned")).to_be_hidden()
    coloured = "[...document.querySelectorAll('.dgv-text')].map((text) => Boolean(text.style.background))"
    assert np.flatnonzero(infilled.evaluate(coloured)).tolist() == [*range(*restrained.HOLE.indices(48))]
    infilled.keyboard.press("ArrowRight")
    infilled.locator('.dgv[data-step="1"]').wait_for()
    assert marked(infilled, "given") == HELD
    infilled.locator(".dgv-token").nth(20).hover()
    tip = infilled.locator(".dgv-tip")
    expect(tip).to_contain_text("one token (clamped)")
    expect(tip).to_contain_text("given by the caller")
    assert_accessible(infilled)


@pytest.mark.browser
def test_the_inspector_says_what_was_left_and_what_was_banned(chromium):
    trace = restrained.forced()
    with exported(chromium, trace, at="#position=2&step=1", width=1280, height=900) as visit:
        page, wanted = visit.page, trace.token_text(trace.banned_draft[1, 0, 2]).strip()
        rows = page.locator(".dgx-numbers tr")
        expect(rows.filter(has_text="left to choose from")).to_contain_text("one token (clamped)")
        expect(rows.filter(has_text="model's own draft")).to_contain_text(f"{wanted} (banned)")
        expect(rows.filter(has_text="confidence")).to_contain_text("(clamped)")
        assert page.locator(".dge-alternatives tbody tr").count() == 2, "the one token left, and all others"
        assert marked(page, "banned") == [2, 6]
