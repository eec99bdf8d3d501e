"""Search: where a text or token stood, among drafts, candidates and alternatives, over all steps of all canvases."""

import base64
import json
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.plain_text import from_bytes
from dgemma_viz.views.contents import contents
from dgemma_viz.views.modules import STATIC
from tests.accessibility import assert_accessible
from tests.browser import assert_fits
from tests.handmade import handmade_trace, masked_trace
from tests.node import NODE
from tests.real_text import FAMILY, real_trace
from tests.synthetic import synthetic_trace, undecided
from tests.views.exported import exported, go, step_of

SEARCHED = f"""
import {{ readFileSync }} from "fs";
const {{ readPlace }} = await import("{(STATIC / "place.js").as_uri()}");
const {{ RunStore }} = await import("{(STATIC / "run_store.js").as_uri()}");
const {{ findOccurrences, readWanted }} = await import("{(STATIC / "occurrences.js").as_uri()}");
const [path, exact, ...all] = process.argv.slice(1), [run] = readPlace(readFileSync(path)).runs;
const store = new RunStore(run.packing, [run.data], run.texts, run.differing, run.words);
const found = all.map((words) => findOccurrences(store, readWanted(words, exact === "exact")));
console.log(JSON.stringify(found.map((places) => places.map((place) => ({{ ...place, steps: [...place.steps] }})))));
"""
DRAFT, CANDIDATE, NOISED, ALTERNATIVE = 1, 2, 4, 8


@pytest.fixture
def search(tmp_path):
    """Places of each text in the first canvas of a trace, as the page finds them."""

    def places_of(trace, *words, exact=False):
        path = tmp_path / "place.bin"
        path.write_bytes(contents(trace).place(0, 0))
        command = [NODE, "--no-warnings", "--input-type=module", "-e", SEARCHED, str(path), "exact" * exact, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return places_of


def written(*canvases, pieces=(), **others):
    """Build a run from what it drafted, which read nothing but padding; some of its words have other texts."""
    made, known = handmade_trace(*canvases, **others), dict(pieces)
    token_texts = {token: known.get(word, word) for token, word in made.token_texts.items()}
    return replace(made, token_texts=token_texts, noised=np.zeros_like(made.noised))


def test_a_text_is_found_across_tokens_and_its_course_is_what_the_drafts_say(search):
    drafts = ["the cat sat on", "the dog sat on", "the cat sat on", "a cat sat on", "a dog ran on", "a dog ran on"]
    trace = written(drafts, pieces=[("cat", " Cat"), *((word, f" {word}") for word in ("sat", "dog", "ran", "on"))])
    (place,), (dog,), nothing = search(trace, "cat sa", "dog", "  ")
    assert (place["start"], place["end"]) == (1, 2)
    assert [bool(flags & DRAFT) for flags in place["steps"]] == [True, False, True, True, False, False]
    assert {name: place[name] for name in ("first", "lost", "back", "count", "still")} == {
        "first": 0, "lost": 4, "back": -1, "count": 3, "still": False,
    }  # fmt: skip
    assert place["quote"] == {"before": "the", "match": " Cat sat", "after": " on"}
    assert (dog["first"], dog["lost"], dog["back"], dog["still"]) == (1, 2, 4, True)
    assert nothing == []
    assert search(trace, "cat sa", exact=True) == [[]]


def test_an_id_is_found_exactly_where_the_arrays_have_it(search):
    trace = undecided(synthetic_trace(steps=[[9]], length=24), 8)
    drawn = trace.candidate[:, 0]
    tokens = np.unique(trace.draft)[:4].tolist()
    for token, places in zip(tokens, search(trace, *(f"#{token}" for token in tokens)), strict=True):
        flags = DRAFT * (trace.draft[:, 0] == token) + CANDIDATE * (drawn == token)
        flags += NOISED * (trace.noised[:, 0] == token)
        offered = (trace.top_k_ids[:, 0] == token).any(axis=-1) & (trace.draft[:, 0] != token)
        flags += ALTERNATIVE * offered
        assert [place["start"] for place in places] == np.flatnonzero(flags.any(axis=0)).tolist()
        for place in places:
            course = flags[:, place["start"]]
            stands = course & (DRAFT | CANDIDATE) > 0
            assert place["steps"] == course.tolist()
            assert place["count"] == stands.sum()
            assert place["first"] == (int(stands.argmax()) if stands.any() else -1)
            lost = np.flatnonzero(stands[:-1] & ~stands[1:]) + 1
            assert place["lost"] == (lost[-1] if len(lost) else -1)
            if offered[:, place["start"]].any():
                shares = np.where(trace.top_k_ids == token, trace.top_k_probabilities, -1)[:, 0, place["start"]].max(
                    axis=-1
                )
                best = np.where(offered[:, place["start"]], shares, -1).max()
                assert place["best"]["probability"] == pytest.approx(best, rel=1e-3, abs=1e-7)


def test_characters_are_whole_letters_compare_without_case_and_accents_belong_to_them(search):
    drafts = ["a1 a2 a1 man woman e mark sigma nl hash"]
    pieces = {
        "a1": from_bytes("あ".encode()[:2]), "a2": from_bytes("あ".encode()[2:]), "man": "👨", "woman": "\u200d👩",
        "e": "CAFE", "mark": "\u0301", "sigma": " ΟΔΟΣ", "nl": "\n", "hash": "#7\u200b",
    }  # fmt: skip
    trace = written(drafts, pieces=pieces)

    wanted = {
        "あ": [(0, 1)],
        "👨\u200d👩": [(3, 4)],
        "café": [(5, 6)],
        "cafe\u0301": [(5, 6)],
        "cafe": [],  # the accent belongs to the letter
        "οδος": [(7, 7)],
        "οδοσ": [(7, 7)],
        "↵#7": [(8, 9)],
        r"\#7": [(9, 9)],  # and no token id
        "#7\u200b": [(9, 9)],
        "7⟨U+200B⟩": [(9, 9)],  # what is not seen, as the tokens show it
        "⟨E3⟩⟨81⟩": [(2, 2)],  # bytes that fit nothing
    }
    found = [
        [(place["start"], place["end"]) for place in places if place["stands"]] for places in search(trace, *wanted)
    ]
    assert dict(zip(wanted, found, strict=True)) == wanted
    assert search(trace, "café", exact=True) == [[]]


def test_what_was_never_drafted_is_found_among_the_alternatives_with_its_best(search):
    trace = written(["a b c", "a b d"], second="owl", confidence=[0.5, 0.9, 0.7, 0.6, 0.8, 0.4])
    (places,) = search(trace, "OW")
    assert [place["start"] for place in places] == [0, 1, 2]
    assert not any(place["stands"] for place in places)
    assert places[2]["best"] | {"id": 0} == {"step": 1, "id": 0, "rank": 2, "probability": pytest.approx(0.3, rel=1e-3)}
    assert places[2]["quote"] == {"before": "ab", "match": "owl", "after": ""}


def test_masks_are_found_where_a_step_read_them(search):
    trace = masked_trace([". . .", ". b .", "a b ."], ["x b z", "a b z"])
    letter, mask = search(trace, "b", "[M]")
    assert [(place["start"], place["first"], place["still"]) for place in letter] == [(1, 0, True)]
    assert [place["steps"] for place in mask] == [[NOISED, NOISED], [NOISED, 0], [NOISED, NOISED]]


# -- in the page ---------------------------------------------------------------------------------------------------

EVIL = "<img src=x onerror=alert(1)>"
CANVASES = (
    ["the dog ran far", "the cat ran far", "a cat sat far", "a dog sat far"],
    ["x x x x", "x cat sat x", "x x x x"],
    ["y y y evil", "y y cat sat", "y y cat sat"],
)


def trace():
    pieces = {"evil": EVIL, **{word: f" {word}" for word in ("cat", "sat", "dog", "ran", "far")}}
    return written(*CANVASES, pieces=pieces, second="owl")


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, trace(), at="#views=canvas", width=900, height=800) as visit:
        yield visit


@pytest.fixture
def page(visit):
    page = visit.page
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.get_by_label("Text").select_option("draft")
    go(page, "views=canvas")
    yield page
    if page.locator(".dgq-field").input_value():
        page.locator(".dgq-field").press("Escape")


def find(page, words):
    page.keyboard.press("/")
    page.keyboard.type(words)
    expect(page.locator(".dgq-field")).to_have_value(words)
    expect(page.locator(".dgq-count")).not_to_contain_text("searched")
    return page.locator(".dgq-summary")


def at(page, **place):
    """Wait until the page is at a place."""
    for name, value in place.items():
        page.wait_for_function(
            "([name, value]) => new URLSearchParams(location.hash.slice(1)).get(name) === value", arg=[name, value]
        )


@pytest.mark.browser
def test_a_search_leads_to_where_it_was_first_seen_and_last_lost_by_keyboard_alone(page):
    summary = find(page, "cat sat")
    expect(summary).to_have_text(
        "In 3 places, 1 still there at the end; first seen at canvas 0, step 2, last lost at canvas 1, step 2."
    )
    expect(page.locator(".dgq [role=status]")).to_have_text(summary.inner_text())
    rows = page.locator(".dgq-list li")
    expect(rows).to_have_count(3)
    page.keyboard.press("Enter")
    at(page, step="2", position="1")
    expect(page.locator(".dgv-named")).to_have_count(2)
    expect(page.locator(".dgv-mark-named + span")).to_have_text("found")
    expect(rows.nth(0)).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    at(page, canvas="1", step="1", position="1")
    expect(page.locator(".dgv-named").nth(1)).to_have_text("sat")
    page.keyboard.press("Enter")
    at(page, canvas="2", step="1", position="2")
    page.keyboard.press("Shift+Enter")
    at(page, canvas="1", step="1")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1).get_by_text("First seen")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    at(page, canvas="1", step="2", position="1")
    expect(rows.nth(1).get_by_text("Last lost: step 2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".dgq-results")).to_be_hidden()
    expect(page.locator(".dgv-named")).to_have_count(0)
    assert page.evaluate("document.activeElement === document.body")


@pytest.mark.browser
def test_all_that_the_shown_step_has_is_marked_and_where_the_chosen_place_was(page):
    go(page, "canvas=1&views=canvas")
    page.locator(".dgv-token", has_text="x").nth(3).wait_for()
    find(page, "x")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    at(page, canvas="1", position="1")
    marked = page.locator(".dgv-named")
    expect(marked).to_have_text(["x"] * 4)
    page.get_by_role("slider").press("ArrowRight")
    expect(marked).to_have_text(["x", re.compile("cat"), "x"])
    page.get_by_label("Text").select_option("noised")
    expect(marked).to_have_text(["<pad>"])


@pytest.mark.browser
def test_letters_that_are_typed_are_no_keys_and_escape_gives_the_focus_back(page):
    token = page.locator(".dgv-token").nth(2)
    token.click()
    expect(token).to_be_focused()
    page.evaluate("(window.heard = []), document.addEventListener('keydown', ({ key }) => heard.push(key))")
    find(page, "vlt? /")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert step_of(page) == 0
    assert page.locator(".dgv-grid").count() == 1
    assert not page.locator(".dgv-keys").get_attribute("open")
    assert "views=canvas" in page.url
    page.keyboard.press("Shift+Enter")
    page.locator(".dgq-bar").get_by_role("button", name="Next place").press("Enter")
    assert page.evaluate("heard") == [], "nothing reaches a notebook around it"
    expect(page.locator(".dgq-summary")).to_have_text(
        "Found nowhere: in no draft, candidate, noised canvas or alternative that was recorded."
    )
    page.keyboard.press("Escape")
    expect(token).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator(".dgq-summary")).to_contain_text("token by its id")
    page.keyboard.press("Escape")


@pytest.mark.browser
def test_alternatives_and_hostile_text_are_shown_as_text_and_fit_a_phone(page):
    expect(find(page, "owl")).to_contain_text("Never drafted or sampled: only an alternative in 12 places")
    page.get_by_text("Best alternative").nth(3).click()
    at(page, position="3")
    page.locator(".dgq-summary").get_by_role("button", name="canvas 0, step 0").click()
    at(page, position="0")
    page.keyboard.press("Escape")
    find(page, "<pad>")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Text")).to_have_value("noised")
    expect(page.locator(".dgv-named")).to_have_text(["<pad>"] * 4)
    page.keyboard.press("Escape")
    expect(page.get_by_label("Text")).to_have_value("draft")
    find(page, "<IMG")
    expect(page.locator(".dgq-quote mark")).to_have_text(EVIL)
    assert page.locator(".dgq img").count() == 0
    page.set_viewport_size({"width": 380, "height": 760})
    assert_fits(page)
    page.emulate_media(color_scheme="dark")
    page.locator(".dge-dark").wait_for()
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    page.locator(".dge:not(.dge-dark)").wait_for()
    assert_accessible(page)
    page.set_viewport_size({"width": 900, "height": 800})


@pytest.mark.browser
def test_real_text_is_found_where_its_bytes_are_and_comes_into_view(chromium):
    with exported(chromium, real_trace(steps=6), at="#views=canvas&layout=reading", width=900, height=500) as visit:
        page = visit.page
        for words in ("麤という", FAMILY, "العربية"):
            find(page, words)
            page.keyboard.press("Enter")
            at(page, canvas="1")
            page.keyboard.press("End")  # of the field, and no step
            named = page.locator(".dgv-named").first
            expect(named).to_be_in_viewport()
            shown = "".join(page.locator(".dgv-named").all_text_contents())
            assert words in shown
            page.keyboard.press("Escape")


@pytest.mark.browser
def test_two_runs_are_searched_and_results_say_which(chromium):
    a, b = written(["a b c", "a b d"]), written(["a b b", "a b b"], seed=1, words=("c", "d"))
    with exported(chromium, pair_of(a, b), at="#views=canvas") as visit:
        page = visit.page
        expect(find(page, "bb")).to_have_text(
            "Run A: nowhere.Run B: In 1 place, still there at the end; first seen at step 0, never lost."
        )
        page.keyboard.press("Enter")
        at(page, position="1")
        expect(page.locator(".dgv").nth(1).locator(".dgv-named")).to_have_count(2)
        expect(page.locator(".dgv").nth(0).locator(".dgv-named")).to_have_count(0)
        expect(page.locator(".dgq-list b")).to_have_text("Run B, positions 1–2")


@pytest.mark.browser
def test_canvases_that_come_slowly_are_counted_and_a_search_that_is_left_asks_for_no_more(chromium):
    """The module alone, on a host that gives out canvases one by one."""
    frames = [base64.b64encode(contents(trace()).place(canvas, 0)).decode() for canvas in range(3)]
    context = chromium.new_context()
    page = context.new_page()

    def serve(route):
        name = route.request.url.rpartition("/")[2]
        kind = "text/javascript" if name else "text/html"
        route.fulfill(body=(STATIC / name).read_text() if name else "<body></body>", content_type=kind)

    page.route("http://views.test/**", serve)
    page.goto("http://views.test/")
    page.evaluate(
        """async (frames) => {
          const { createSearch } = await import("./search.js"), { createModel } = await import("./model.js");
          const { createPlaces } = await import("./place.js"), asked = (window.asked = []), calls = (window.calls = []);
          const bytes = (frame) => Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0));
          const known = createPlaces((canvas) => new Promise((resolve, reject) => asked.push({
            give: () => resolve(bytes(frames[canvas])), refuse: () => reject(new Error("it is gone")),
          })));
          const place = (canvas, sample) => (calls.push(canvas), known.place(canvas, sample));
          const state = createModel({ canvas: 1, sample: 0, shows: "draft" });
          const search = createSearch({
            root: document.body, tokens: document.body, state, host: { places: () => ({ place }), ownsPage: true },
            page: () => ({ canvases: 3 }), go: (found) => (window.gone = found), named: () => {},
          });
          document.body.append(search.node);
        }""",
        frames,
    )
    field, summary, count = page.locator(".dgq-field"), page.locator(".dgq-summary"), page.locator(".dgq-count")
    page.keyboard.press("/")
    field.fill("cat sat")
    page.keyboard.press("Enter")  # before anything is there: goes once it is
    page.wait_for_function("asked.length === 1")
    page.evaluate("asked[0].give()")
    expect(summary).to_contain_text("first seen at canvas 1, step 1")
    assert page.evaluate("gone") == {"canvas": 1, "sample": 0, "step": 1, "positions": [1, 2]}
    expect(count).to_have_text("place 1 of 1 · searched 1 of 3 canvases")
    page.evaluate("asked[1].refuse()")
    page.wait_for_function("asked.length === 3")
    page.evaluate("asked[2].give()")
    expect(summary).to_contain_text("first seen at canvas 0, step 2, last lost at canvas 1, step 2.")
    expect(summary).to_contain_text("Canvas 2 could not be searched: it is gone")
    expect(count).to_have_text("place 1 of 2")
    assert page.evaluate("[...new Set(calls)]") == [1, 2, 0], "the one that is looked at, then on from there"
    field.fill("dog")
    field.fill("do")
    page.keyboard.press("Enter")
    page.wait_for_function("asked.length === 4")  # canvas 2 again
    before = page.evaluate("calls")
    page.keyboard.press("Escape")
    page.evaluate("asked[3].give()")
    page.wait_for_timeout(100)
    assert page.evaluate("calls") == before
    expect(summary).to_be_hidden()
    context.close()
