"""What a page shows, as data: plain JSON, made canvas by canvas, and nothing in it that could run."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.errors import SettingError
from dgemma_viz.trace import load_trace
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import Notice
from dgemma_viz.views import contents
from dgemma_viz.views.contents import frame, unframe
from dgemma_viz.views.explored import canvas_alone
from tests.cut_traces import without, without_steps
from tests.handmade import handmade_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace

DANGERS = ("<script", "<img", "<b>bold", "<i>x", "<a href", "\u202e", "\u200b", "\x00")


def pair(a=None, b=None, **sizes):
    return pair_of(a or synthetic_trace(**sizes), b or synthetic_trace(seed=1, **sizes))


def place(what, canvas=0, sample=0, reference=None):
    return unframe(contents(what, reference).place(canvas, sample))


def differing(shown, records):
    """Marks ``(rows, C)`` of each run of a place."""
    return [
        np.frombuffer(records[slice(*run["differing"])], "u1").reshape(-1, run["packing"]["positions"]).tolist()
        for run in shown["runs"]
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text(), JSON, max_size=4), st.binary(max_size=99))
def test_a_frame_holds_what_was_put_in_and_its_records_are_aligned(values, records):
    framed = frame(values, records)
    assert unframe(framed) == (values, records)
    assert (len(framed) - len(records)) % 4 == 0


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_json_does_not_have_is_an_error_of_ours(number):
    with pytest.raises(ValueError, match="JSON"):
        frame({"value": number}, b"")


@pytest.mark.parametrize(
    "what",
    [
        synthetic_trace(canvases=2, samples=2, steps=[[4, 3], [2, 0]]),
        pair(synthetic_trace(canvases=2, samples=2), synthetic_trace(length=9)),
        without_steps(synthetic_trace()),
        pair(without_steps(synthetic_trace()), without_steps(synthetic_trace())),
        synthetic_trace(texts=NASTY_TEXTS),
        without(synthetic_trace(), "noised", "candidate", "accepted", "entropy", "confidence", "top_k_ids"),
    ],
    ids=["trace", "pair", "no steps", "pair without steps", "nasty", "least"],
)
def test_page_and_places_are_plain_json(what):
    shown = contents(what)
    page = shown.whole_page()
    assert json.loads(json.dumps(page, allow_nan=False)) == page, "no arrays, tuples, enumerations"
    places = list(shown.places())
    assert places == [(c, s) for c in range(page["canvases"]) for s in range(page["samples"])]
    for one in places:
        values, records = unframe(shown.place(*one))
        ends = [end for run in values["runs"] if run for end in (*run["data"], *run["differing"])]
        assert max(ends, default=0) <= len(records)


def test_nothing_of_a_canvas_is_computed_before_it_is_asked_for(monkeypatch):
    trace, asked, whole = synthetic_trace(canvases=64, steps=3), set(), Trace.canvas_run

    def noted(trace, canvas=0, sample=0):
        asked.add(canvas)
        return whole(trace, canvas, sample)

    monkeypatch.setattr(Trace, "canvas_run", noted)
    parts_at_once = pair_of(trace, synthetic_trace(canvases=64, steps=3, seed=1))
    for what, for_the_page, for_the_place in ((trace, set(), {5}), (parts_at_once, {0}, {0, 5})):
        shown = contents(what)
        assert asked == for_the_page, "where two runs part is said at once"
        shown.place(5, 0)
        assert asked == for_the_place
        asked.clear()


def test_the_head_says_what_ran_how_it_ended_and_what_was_not_recorded():
    trace = synthetic_trace()
    notices = (Notice("", "entropy_bound was <ignored>"),)
    facts = {"notices": notices, "status": "interrupted", "model_id": "<img src=x>"}
    (head,) = contents(replace(trace, facts=replace(trace.facts, **facts))).page["heads"]
    assert "entropy_bound was &lt;ignored&gt;" in head
    assert "interrupted" in head
    assert "entropy bound" in head
    assert "<img" not in head
    failed = contents(without_steps(trace)).page
    assert "OutOfMemoryError: no &lt;memory&gt;" in failed["heads"][0]
    assert "dgx-failed" in failed["heads"][0]
    assert "Nothing was emitted" in failed["heads"][0]


def test_the_least_that_another_runtime_can_log_is_shown(tmp_path):
    """See dgemma_viz.trace.json_lines."""
    lines = [
        {"format": "dgemma_viz.lines", "version": 1, "facts": {"vocab_size": 9, "eos_token_ids": [1]}},
        {"canvas": 0, "step": 0, "draft": [4, 5, 6]},
        {"canvas": 0, "step": 1, "draft": [4, 5, 7]},
        {"canvas": 0, "emitted": [4, 5, 7]},
    ]
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    trace = load_trace(path)
    (head,) = contents(trace).page["heads"]
    for words in ("Not recorded", "accepted", "blanks, not measurements"):
        assert words in head
    (run,) = place(trace)[0]["runs"]
    assert run["texts"]["-1"] == "not recorded"
    assert run["texts"]["6"] == "⟨6⟩"
    names = [row["name"] for row in run["rows"]]
    assert not [name for name in names if "ever accepted" in name or "taken back" in name]


@pytest.mark.parametrize("what", [synthetic_trace(), pair()], ids=["trace", "pair"])
def test_a_reference_that_is_none_is_refused(what):
    with pytest.raises(SettingError, match="not a list"):
        contents(what, ["3"]).whole_page()


def test_one_canvas_alone_has_a_message_and_neither_head_nor_charts():
    shown = canvas_alone(synthetic_trace(canvases=2).canvas_run(1), "derived")
    values, _ = unframe(shown.place(0, 0))
    assert shown.page["alone"]
    assert values["runs"][0]["message"] == "derived"
    assert not {"quantity_map", "curves"} & set(values)


# -- two runs ------------------------------------------------------------------------------------------------------


def test_differing_drafts_are_marked_to_the_end_of_the_longer_run():
    shown = place(pair(handmade_trace(["a b", "b b"]), handmade_trace(["a b", "b b", "b a"])))
    assert differing(*shown) == [[[0, 0], [0, 0], [0, 1]]] * 2


def test_marks_of_a_wider_canvas_cover_the_shared_positions_only():
    wide, narrow = map(np.array, differing(*place(pair(synthetic_trace(length=9), synthetic_trace(length=5, seed=1)))))
    np.testing.assert_array_equal(wide[:, :5], narrow)
    assert not wide[:, 5:].any()


def test_a_canvas_and_a_sample_that_one_run_lacks():
    both = pair(synthetic_trace(canvases=2, samples=2), synthetic_trace())
    for where in ((1, 0), (0, 1)):
        values, records = place(both, *where)
        first, second = values["runs"]
        assert first["data"] != [0, 0]
        assert second is None or second["data"][0] == second["data"][1]
        assert records[slice(*first["differing"])] == b""
        assert "Run B has no denoising steps" in values["missing"][1]
        assert values["map_size"] == [0, 0]


def test_the_head_says_where_the_runs_part():
    a = handmade_trace(["a b"], ["a b", "b b", "b b"])
    candidate = np.array(a.candidate)
    candidate[2, 0, 1] = 0
    page = contents(pair(a, replace(a, candidate=candidate))).page
    assert page["firsts"] == [{"canvas": 1, "step": 1, "positions": [1]}]
    assert "canvas 1, step 1: the candidates drawn" in page["heads"][0]
    same = contents(pair(a, a)).page
    assert same["firsts"] == [None]
    assert "No difference" in same["heads"][0]
    for other in (a, without_steps(a)):
        assert "Nothing to compare" in contents(pair(without_steps(a), other)).page["heads"][0]


def test_the_table_tells_what_changed_and_marks_the_output():
    runs = handmade_trace(["x b b"], words=["a"]), handmade_trace(["x a b"], seed=1)
    a, b = (replace(run, token_texts=dict(run.token_texts) | {4: "a "}) for run in runs)
    (table,) = contents(pair(a, b), "a bb").page["tables"]
    for part in (
        '<pre tabindex="0">a <mark title="differs">bb</mark></pre>',
        '<pre tabindex="0">a <mark title="differs">ab</mark></pre>',
        "1 of 3",
        '<tr class="dgc-changed"><th scope="row">seed</th><td>0</td><td>1</td>',
        "<td>right</td><td>wrong</td>",
    ):
        assert part in table
    assert "wrong" not in contents(pair(a, b)).page["tables"][0]


def test_a_very_long_output_is_cut():
    a, b = (synthetic_trace(texts=("<pad>", "<eos>", "word " * 40), length=256, steps=2, seed=seed) for seed in (0, 1))
    facts = replace(a.facts, eos_token_ids=())
    (table,) = contents(pair(replace(a, facts=facts), replace(b, facts=facts))).page["tables"]
    assert "…" in table
    assert len(table) < 40_000


def test_a_heading_names_what_sets_the_run_apart():
    first, second = place(pair())[0]["headings"]
    assert "Run A" in first
    assert "seed 0" in first
    assert "seed 1" in second


def test_a_trace_of_another_runtime_says_what_it_did_not_log():
    trace = synthetic_trace()
    names = ("noised", "candidate", "accepted", "entropy", "confidence", "candidate_probability", "top_k_ids")
    both = pair(trace, without(trace, *names, "top_k_probabilities", "temperature", "entropy_bound"))
    head = contents(both).page["heads"][0]
    assert "B did not record noised, candidate, accepted, entropy, confidence: not compared." in head


def test_everything_from_outside_is_escaped_in_what_becomes_html():
    notices = (Notice("<b>", "<script>"),)
    facts = {"error": "<img src=x>", "status": "failed", "notices": notices, "settings": {"<b>": "<i>x</i>"}}
    a, b = (synthetic_trace(texts=NASTY_TEXTS, length=40, seed=seed) for seed in (0, 1))
    b = replace(b, facts=replace(b.facts, **facts))
    for what in (b, pair(a, b)):
        page, (values, _) = contents(what).page, place(what)
        rows = [row["term"] for run in values["runs"] for row in run["rows"]]
        html = "".join([*page["heads"], *page["tables"], page["glossary"], *values.get("headings", ()), *rows])
        assert not [danger for danger in DANGERS if danger in html]
