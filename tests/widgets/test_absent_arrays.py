"""A log that lacks most arrays is explored all the same, and the page says what was not recorded."""

import json
import re
from dataclasses import replace

import dgemma_viz as dv
from dgemma_viz.widgets.bound_explorer import BoundExplorer
from dgemma_viz.widgets.run_header import header_html
from tests.synthetic import synthetic_trace


def drafts_only(path):
    """The least that another runtime can log: see dgemma_viz.trace.json_lines."""
    lines = [
        {"format": "dgemma_viz.lines", "version": 1, "facts": {"vocab_size": 9, "eos_token_ids": [1]}},
        {"canvas": 0, "step": 0, "draft": [4, 5, 6]},
        {"canvas": 0, "step": 1, "draft": [4, 5, 7]},
        {"canvas": 0, "emitted": [4, 5, 7]},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_header_says_what_was_not_recorded(tmp_path):
    explorer = dv.explore(drafts_only(tmp_path / "run.jsonl"))
    head = header_html(explorer.trace, 0)
    assert "Not recorded" in head
    assert "accepted" in head
    assert "blanks, not measurements" in head
    explorer.selection.position = 2
    assert "⟨6⟩" in explorer.inspector._text.value


def test_the_inspector_and_the_canvas_make_up_no_tokens_and_no_decisions(tmp_path):
    explorer = dv.explore(drafts_only(tmp_path / "run.jsonl"))
    explorer.selection.position = 2
    numbers = re.sub(r"<span popover.*?</span>", "", explorer.inspector._text.value)  # not what terms mean
    assert "not recorded" in numbers
    assert not [words for words in ("-1", "re-noised", "ever accepted", "taken back") if words in numbers]
    assert explorer.token_canvas.texts["-1"] == "not recorded"


def test_without_a_bound_there_is_nothing_to_explore():
    trace = synthetic_trace(length=8, steps=4)
    facts = replace(trace.facts, sampler="DiscreteDDIMScheduler", settings={})
    view = BoundExplorer(replace(trace, facts=facts))
    assert "no entropy bound decides here: the run was made by discrete DDIM" in view._words.value
    assert view.bound not in view.children
    view.close()
