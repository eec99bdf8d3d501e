"""What was seen inside a step, on a page without a model: the numbers of the arrays, and no token text runs."""

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures.token_text import display_text
from tests.accessibility import LOOKS, assert_accessible, tab_stops
from tests.browser import assert_fits, open_page
from tests.synthetic import synthetic_trace
from tests.synthetic_inside import synthetic_inside
from tests.views.hostile_tokens import HOSTILE

LENGTH, STEPS, LAYERS = 12, 5, 3
TRACE = synthetic_trace(length=LENGTH, steps=STEPS, texts=HOSTILE)
RUN = {name: getattr(TRACE.facts, name) for name in ("started", "seed", "model_id")}


def seen_at(step, **facts):
    made = synthetic_inside(layers=LAYERS, positions=LENGTH, context=9, vocabulary=len(HOSTILE))
    return replace(
        made,
        noised=TRACE.canvas_run().array("noised")[step],
        token_texts=dict(enumerate(HOSTILE)),
        facts=replace(made.facts, trace=RUN, step=step, layer_types=("sliding_attention",) * LAYERS, **facts),
    )


SEEN, LATER = seen_at(1), seen_at(3, agreement="diverged", told="<b>it diverged</b>")


@pytest.fixture
def page(chromium, tmp_path):
    SEEN.save(tmp_path / "step.safetensors")
    path = dv.export_html(TRACE, tmp_path / "page.html", inside=[tmp_path / "step.safetensors", LATER])
    with open_page(chromium, f"{path.as_uri()}#step=1&position=4", height=1700) as visit:
        yield visit.page
        assert visit.console_errors == []
        assert [url for url in visit.requests if not url.startswith((path.as_uri(), "blob:"))] == []


def cells(page, name):
    """Texts of a table's body, row by row."""
    rows = page.get_by_role("region", name=name).locator("tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


@pytest.mark.browser
def test_the_page_tells_what_the_arrays_hold_without_a_model(page):
    panel = page.get_by_role("region", name="Inside this step")
    panel.get_by_role("heading", name="Inside this step: position 4 at step 1").wait_for()
    lens, stands = SEEN.lens, int(SEEN.lens.stands_from[4])
    rows = cells(page, "What each depth makes of the position")
    assert [row[1] for row in rows] == [display_text(HOSTILE[token]) for token in lens.draft[:, 4]]
    assert [row[3] for row in rows] == [f"{float(p):.3f}" for p in lens.probability[:, 4, 0]]
    assert [depth for depth, row in enumerate(rows) if "◆" in row[0]] == [stands]

    readable = np.concatenate([SEEN.context, SEEN.noised])
    choice = panel.get_by_label("Whose attention")
    for option, weight in (
        ("mean over layers", SEEN.attention.weight.astype(np.float32).mean(axis=0)[0, 4]),
        ("layer 2 (sliding)", SEEN.attention.weight[2, 0, 4].astype(np.float32)),
    ):
        choice.select_option(label=option)
        most = np.argsort(-weight, kind="stable")[:8]
        rows = cells(page, "Tokens that are read most")
        assert [row[1] for row in rows[:-1]] == [display_text(HOSTILE[readable[place]]) for place in most]
        told = [float(row[4].removesuffix(" %")) for row in rows]
        assert told[:-1] == pytest.approx(100 * weight[most], abs=0.051)
        assert sum(told) == pytest.approx(100, abs=0.5)
        marked = page.get_by_role("region", name="What is read").locator("sup").all_inner_texts()
        assert sorted(map(int, marked)) == list(range(1, 9)), "what is listed has its number in the text"
    assert [row[0] for row in cells(page, "Experts of the position")] == ["0", "1", "2"]
    assert "drop the self-conditioning" in cells(page, "The pass with something changed")[0][0]


@pytest.mark.browser
def test_other_steps_are_a_press_away_and_what_is_not_there_is_said(page):
    panel = page.get_by_role("region", name="Inside this step")
    page.get_by_role("slider").fill("2")
    panel.get_by_text("This step was not looked into").wait_for()
    later = panel.get_by_role("button", name="step 3")
    later.focus()
    page.keyboard.press("Enter")
    panel.get_by_text("Beware: the repetition diverged").wait_for()
    expect(later).to_be_focused()
    expect(later).to_have_attribute("aria-current", "step")
    page.locator(".dgv-token").nth(7).click()
    panel.get_by_role("heading", name="position 7 at step 3").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("width", [380, 1280])
def test_it_fits_axe_finds_nothing_serious_tab_gets_through_and_no_text_runs(page, width):
    page.set_viewport_size({"width": width, "height": 1700})
    page.get_by_label("Whose attention").wait_for()
    for scheme, rules in (("light", ()), ("dark", LOOKS)):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(600)
        assert_accessible(page, rules)
    assert_fits(page)
    stops = tab_stops(page)
    assert [stop for stop in stops if stop.kind != "option" and not (stop.seen and stop.name)] == []  # but tokens
    assert ("button", "step 3") in {(stop.kind, stop.name) for stop in stops}
    assert page.evaluate("window.ran") is None
    assert page.locator(".dgi").locator("img, script, a").count() == 0


def test_what_is_no_inside_of_this_trace_is_refused(tmp_path):
    explorer = dv.explore(TRACE, inside=SEEN)
    assert explorer.insides == [SEEN]
    assert explorer.interventions is None
    dv.export_html(explorer, tmp_path / "page.html")
    other = replace(SEEN, noised=(SEEN.noised + 1) % len(HOSTILE))
    beyond = replace(SEEN, facts=replace(SEEN.facts, step=STEPS))
    alone = replace(SEEN, facts=replace(SEEN.facts, canvas=None, step=None))
    for given, words in (
        (other, "another run"),
        (beyond, "does not have"),
        (alone, "one pass"),
        (TRACE, "not a Trace"),
    ):
        with pytest.raises(TraceError, match=words):
            dv.explore(TRACE, inside=[given])
        with pytest.raises(TraceError, match=words):
            dv.export_html(TRACE, tmp_path / "other.html", inside=[given])
    with pytest.raises(TraceError, match="not a int"):
        dv.export_html(TRACE, tmp_path / "other.html", inside=3)
    with pytest.raises(SettingError, match="of one run"):
        dv.export_html((TRACE, TRACE), tmp_path / "other.html", inside=[SEEN])
    assert not (tmp_path / "other.html").exists()
