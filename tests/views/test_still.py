"""The picture of a notebook without a kernel: words and colour, small, harmless, and of what sanitizers let pass."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.figures.colour_scales import AA, contrast
from dgemma_viz.views.comparison_head import differing_of, table_html
from dgemma_viz.views.still import MOST_BYTES, still_html
from tests.hostile_text import MARK, hostile_trace
from tests.real_text import real_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace

PASSES = {"div", "p", "b", "strong", "em", "i", "span", "mark", "br", "pre", "bdi"}
"""Elements that GitHub and JupyterLab leave in a notebook that they do not trust."""
ATTRIBUTES = {"class", "style", "dir"}


class Still(HTMLParser):
    """Elements, text, and pieces of text with their style."""

    def __init__(self, html):
        super().__init__()
        self.html, self.elements, self.text, self.pieces, self.open_elements = html, [], "", [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag != "br":
            self.open_elements.append(self.elements[-1])

    def handle_endtag(self, tag):
        assert self.open_elements.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        self.pieces.append((data, *self.open_elements[-1]))

    def marked(self):
        """Texts marked in the output, where a background stands behind each."""
        return [data for data, tag, has in self.pieces if tag == "mark" and data != "Marked" and has]


def still_of(what, **options):
    diagnosis = None if hasattr(what, "traces") else diagnose(what)
    return Still(still_html(what, diagnosis, **options))


def of_letters(**facts):
    """One letter a token, and no token that ends the output."""
    trace = synthetic_trace(length=8, steps=[[3]], texts=tuple("ABcdefghij"), seed=3)
    return replace(trace, facts=replace(trace.facts, eos_token_ids=(), **facts))


def pairs():
    a, b = (synthetic_trace(canvases=2, length=40, steps=[[4], [3]], seed=seed) for seed in (0, 1))
    return pair_of(a, b)


def test_a_trace_shows_head_output_and_findings():
    trace = synthetic_trace(canvases=2, length=40, steps=[[4], [3]])
    still = still_of(trace)
    assert trace.facts.model_id in still.text
    assert "✓ complete" in still.text
    assert "ran 7 steps over 2 canvases" in still.text
    assert trace.output_text() in still.text
    for finding in diagnose(trace).findings:
        assert finding.remedy[:60] in still.text


def test_colour_is_the_confidence_at_the_last_step_and_what_is_unsure_is_marked_besides():
    trace = of_letters()
    confidence = np.array(trace.confidence)
    confidence[-1] = 1.0
    confidence[-1, 0, :2] = 0.5, 0.1
    still = still_of(replace(trace, confidence=confidence))
    text = trace.output_text()
    coloured = [(data, has["style"].split(";")[0]) for data, tag, has in still.pieces if tag in ("span", "mark")]
    legend = {words.strip(): style for words, style in coloured if words.strip() in ("0", "0.5", "1")}
    assert (text[0], legend["0.5"]) in coloured
    assert (text[2:], legend["1"]) in coloured
    assert still.marked() == [text[1]]


def test_a_token_that_was_not_the_last_draft_has_no_colour():
    trace = of_letters()
    draft = np.array(trace.draft)
    draft[-1, 0, 0] = 2 + (draft[-1, 0, 0] - 1) % 8
    pieces = still_of(replace(trace, draft=draft)).pieces
    assert (trace.output_text()[0], "pre") in [piece[:2] for piece in pieces]


def test_a_pair_shows_the_first_difference_and_both_outputs():
    pair = pairs()
    still = still_of(pair)
    assert "First difference canvas 0, step 0" in " ".join(still.text.split())
    for trace in pair.traces:
        assert trace.output_text() in still.text
    same = still_of(pair_of(pair.a, pair.a))
    assert "No difference" in same.text
    assert not same.marked()


def test_what_differs_is_marked_in_an_output_that_begins_within_a_canvas():
    a = of_letters(output_span=(2, 6))
    a = replace(a, token_texts={token: f"{text}," for token, text in a.token_texts.items()})
    emitted = np.array(a.emitted)
    emitted[0, 0, 4] = 2 + (emitted[0, 0, 4] - 1) % 8
    pair = pair_of(a, replace(a, emitted=emitted))
    assert differing_of(pair, pair.a, 0).tolist() == [False, False, True, False]
    marked = f"{a.output_text().split(',')[2]},"
    assert f'<mark title="differs">{marked}</mark>' in table_html(pair, None, 0)
    assert still_of(pair).marked()[0] == marked


def test_a_sample_is_chosen_and_the_batch_is_said():
    trace = synthetic_trace(samples=2, length=40, steps=[[4, 3]])
    still = still_of(trace, sample=1)
    assert "sample 1 of 2" in still.text
    assert trace.output_text(1) in still.text
    assert "It has no sample 1." in still_of(pair_of(trace, synthetic_trace()), sample=1).text


def test_a_run_that_ended_early_shows_its_last_draft():
    whole = synthetic_trace(canvases=2, length=12, steps=[[4], [3]])
    cut = replace(whole, emitted=whole.emitted[:1], past_end=whole.past_end[:1])
    cut = replace(cut, facts=replace(cut.facts, status="failed", error="out of memory"))
    still = still_of(cut)
    assert "✕ failed" in still.text
    assert "out of memory" in still.text
    draft = "".join(cut.token_text(token) for token in cut.draft[-1, 0])
    assert "Draft of canvas 1 at its last step; it was not emitted" in still.text
    assert draft in still.text


@pytest.mark.parametrize(
    "what", [synthetic_trace(texts=NASTY_TEXTS), hostile_trace(), pair_of(hostile_trace(), hostile_trace(1)), pairs()]
)
def test_nothing_but_what_sanitizers_let_pass_and_nothing_hostile(what):
    still = still_of(what)
    assert {tag for tag, _ in still.elements} <= PASSES
    assert {name for _, attributes in still.elements for name in attributes} <= ATTRIBUTES
    assert not any(MARK in str(attributes) for _, attributes in still.elements)
    assert "url(" not in " ".join(attributes.get("style", "") for _, attributes in still.elements)
    assert not still.open_elements


def test_a_real_answer_reads_as_it_does_also_where_styles_are_taken_away():
    trace = real_trace(steps=4)
    still = still_of(trace, sample=0)
    assert trace.output_text() in still.text
    (right_to_left,) = (line for line in still.html.split("\n") if "<bdi>" in line)
    assert "العر" in right_to_left
    assert "⟨U+2068⟩" not in still.text


@pytest.mark.parametrize("theme", ["#ffffff", "#111111"])
def test_text_is_readable_on_a_light_and_on_a_dark_page(theme):
    for tag, attributes in still_of(pairs()).elements:
        style = dict(part.split(":") for part in attributes.get("style", ":").split(";"))
        if tag in ("span", "mark") and style["background"] != "none":
            assert contrast(style["background"], style["color"]) >= AA
        elif "color" in style or "background" in style:
            assert (style["background"], style["color"]) == ("none", "inherit")
        if "border-left" in style:
            assert contrast(style["border-left"].split()[-1], theme) >= 3


def test_a_long_run_says_what_is_left_out():
    ids = np.random.default_rng(0).random((1, 1, 256)) < 0.5
    long = synthetic_trace(canvases=64, length=256, steps=[[1]] * 64, texts=("<pad>", "<eos>", "W" * 30, '"<&' * 9))
    confidence = np.where(np.broadcast_to(ids, long.confidence.shape), 0.1, 0.9)
    long = replace(long, confidence=confidence, facts=replace(long.facts, eos_token_ids=()))
    for what in (long, pair_of(long, replace(long, emitted=long.emitted[..., ::-1]))):
        still = still_of(what)
        assert MOST_BYTES / 2 < len(still.html.encode()) <= MOST_BYTES
        assert f"of {long.emitted.size:,} tokens are left out here." in still.text


def test_nothing_recorded_and_nothing_emitted_is_said():
    trace = synthetic_trace()
    blank = replace(
        trace, confidence=np.full_like(trace.confidence, np.nan), facts=replace(trace.facts, absent=("confidence",))
    )
    assert "Confidence was not recorded: no colour." in still_of(blank).text
    none = replace(trace, emitted=trace.emitted[:0], past_end=trace.past_end[:0])
    assert "Nothing was emitted" in still_of(replace(none, facts=replace(none.facts, status="interrupted"))).text
