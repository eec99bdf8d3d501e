"""One situation, three ways: the numbers follow from the speeds, and what cannot be is refused."""

from dataclasses import replace

import pytest

from dgemma_viz.costs import FORMATS, HARDWARE, RELEASED, Scenario
from dgemma_viz.errors import SettingError

USUAL = Scenario(RELEASED, FORMATS["FP8"], HARDWARE["H100 SXM"])


def test_an_answer_is_prompt_and_writing():
    for way in ("autoregressive", "drafting"):
        assert USUAL.first_token_milliseconds(way) == USUAL.prefill_milliseconds()
    speed = USUAL.speed("autoregressive")
    expected = USUAL.prefill_milliseconds() + USUAL.answer * speed.milliseconds_per_unit
    assert USUAL.answer_milliseconds("autoregressive") == pytest.approx(expected)
    assert USUAL.first_token_milliseconds("diffusion") == USUAL.answer_milliseconds("diffusion")  # one canvas


def test_a_short_answer_wastes_its_canvas():
    short = replace(USUAL, answer=16)
    assert short.speed("diffusion").tokens_per_second < USUAL.speed("diffusion").tokens_per_second / 10
    assert short.answer_milliseconds("diffusion") > short.answer_milliseconds("autoregressive")


def test_at_the_break_even_length_both_take_as_long():
    length = round(USUAL.break_even_length())
    writing = {way: USUAL.speed(way, padded=False).milliseconds_for(length) for way in ("autoregressive", "diffusion")}
    assert writing["autoregressive"] == pytest.approx(writing["diffusion"], rel=0.02)


def test_from_the_crossover_on_drafting_serves_more():
    users = USUAL.crossover("drafting")
    for batch, drafting_wins in ((users, True), (users - 1, False)):
        here = replace(USUAL, batch=batch)
        gap = here.speed("drafting").tokens_per_second - here.speed("diffusion").tokens_per_second
        assert (gap > 0) is drafting_wins


def test_a_crossover_is_a_range_over_the_share_of_compute():
    low, high = USUAL.crossover_range("drafting")
    assert low == USUAL.with_compute(0.2).crossover("drafting") == 10
    assert high is USUAL.with_compute(0.7).crossover("drafting") is None, "beyond what memory holds"
    wide = replace(USUAL, hardware=HARDWARE["H200"])
    assert wide.crossover_range("drafting") == (8, 31)


def test_no_crossover_is_said_beyond_what_memory_holds():
    """120 users on an H100, as the model once said, would take 193 GB of canvas buffers."""
    assert USUAL.most_users() == 29
    assert USUAL.crossover() is None
    small = replace(USUAL, hardware=HARDWARE["RTX 5090"], prompt=8192)
    assert small.crossover() is None


def test_curves_end_where_memory_does():
    found = USUAL.by_batch()
    assert [speed.batch for speed in found["diffusion"]] == [1, 2, 4, 8, 16, 29]
    assert [speed.batch for speed in found["autoregressive"]] == [1, 2, 4, 8, 16, 29, 32, 64, 128, 231]
    assert {way: len(those) for way, those in USUAL.by_batch(0.2).items()} == {
        way: len(those) for way, those in found.items()
    }
    crowd = replace(USUAL, batch=64)
    assert (crowd.fits("autoregressive"), crowd.fits("diffusion")) == (True, False)
    with pytest.raises(SettingError, match="for 64 users, canvas buffers included"):
        crowd.speed("diffusion")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "batch"),
        ({"prompt": 0}, "prompt"),
        ({"answer": -1}, "answer"),
        ({"steps": 0}, "steps"),
        ({"acceptance": 0.8}, "say what the rates of acceptance are"),
        ({"draft_milliseconds": -1}, "draft"),
        ({"hardware": HARDWARE["RTX 4070"]}, "needs 26 GB"),
    ],
)
def test_the_impossible_is_refused(change, message):
    with pytest.raises(SettingError, match=message):
        replace(USUAL, **change)
