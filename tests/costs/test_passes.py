"""Bytes and FLOPs of a pass against hand arithmetic on the published sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.costs import FORMATS, RELEASED, canvas_pass, decode_pass, verify_pass
from dgemma_viz.errors import SettingError


@pytest.mark.parametrize(("tokens", "experts"), [(1, 8.0), (5, 35.3), (16, 82.4), (64, 125.9), (256, 128.0)])
def test_distinct_experts(tokens, experts):
    assert RELEASED.distinct_experts(tokens) == pytest.approx(experts, abs=0.05)


def test_a_token_in_fp8_reads_a_sixteenth_of_the_experts():
    one = decode_pass(RELEASED, FORMATS["FP8"])
    assert one.bytes == pytest.approx(1.66e9 + 22.84e9 / 16 + 262_144 * 2816 * 2)
    assert one.flops == pytest.approx(7.64e9)


def test_a_canvas_reads_nearly_everything_and_goes_over_its_logits():
    one = canvas_pass(RELEASED, FORMATS["FP8"], sampler_passes=0)
    assert one.bytes / 1e9 == pytest.approx(27.4, abs=0.1)
    assert one.flops / 1e12 == pytest.approx(2.34, abs=0.01)
    twice = canvas_pass(RELEASED, FORMATS["FP8"], sampler_passes=2)
    assert twice.bytes - one.bytes == 2 * 256 * 262_144 * 4


def test_the_cache_of_sliding_layers_is_capped():
    assert RELEASED.cache_bytes(1000) == 1000 * (204_800 + 20_480)
    assert RELEASED.cache_bytes(5000) == 1024 * 204_800 + 5000 * 20_480


def test_terms_say_what_they_are():
    for one in (decode_pass(RELEASED, FORMATS["BF16"], context=9), canvas_pass(RELEASED, FORMATS["NVFP4"])):
        for term in (*one.reads, *one.computes):
            assert term.name
            assert term.formula
            assert term.source


@given(batch=st.integers(1, 64), drafted=st.integers(1, 8), context=st.integers(0, 10_000))
def test_verifying_more_never_reads_less(batch, drafted, context):
    plain = decode_pass(RELEASED, FORMATS["FP8"], batch=batch, context=context)
    verified = verify_pass(RELEASED, FORMATS["FP8"], drafted=drafted, batch=batch, context=context)
    canvas = canvas_pass(RELEASED, FORMATS["FP8"], batch=batch, context=context)
    assert plain.bytes < verified.bytes < canvas.bytes
    assert plain.flops < verified.flops < canvas.flops


@pytest.mark.parametrize("batch", [0, -1, 1.5, float("nan"), "2", True])
def test_an_impossible_batch_is_refused(batch):
    with pytest.raises(SettingError, match="a batch"):
        decode_pass(RELEASED, FORMATS["FP8"], batch=batch)
