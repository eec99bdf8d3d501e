import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.views.packing import FIELDS, ID_FIELDS, Packing
from dgemma_viz.views.records import Records
from tests.synthetic import NASTY_TEXTS, Sampler, synthetic_trace


@settings(max_examples=20)
@given(length=st.integers(1, 40), steps=st.integers(1, 9), top_k=st.integers(1, 9), seed=st.integers(0, 99))
def test_what_the_browser_reads_is_what_was_recorded(length, steps, top_k, seed):
    run = synthetic_trace(length=length, steps=steps, seed=seed, sampler=Sampler(top_k=top_k)).canvas_run()
    packing = Packing.of(run)
    unpacked = packing.unpack(packing.pack_run(run))
    for name in FIELDS:
        np.testing.assert_array_equal(unpacked[name], run.array(name), err_msg=name)


@pytest.mark.parametrize(("positions", "top_k"), [(1, 1), (3, 5), (48, 8), (256, 8)])
def test_every_field_is_aligned_for_a_typed_array(positions, top_k):
    layout = Packing(positions, top_k).to_json()
    assert layout["stride"] % 4 == 0
    end = 0
    for field in layout["fields"].values():
        size = np.dtype(field["dtype"]).itemsize
        assert field["offset"] % size == 0
        assert field["offset"] == end
        end = field["offset"] + size * field["count"]
    assert end <= layout["stride"] < end + 4


def test_half_precision_probabilities_survive():
    run = synthetic_trace(length=4, steps=3).canvas_run()
    packing = Packing.of(run)
    assert packing.unpack(packing.pack_run(run))["top_k_probabilities"].dtype == np.float16


def test_a_run_without_steps_packs_to_nothing():
    run = synthetic_trace(samples=2, steps=[[3, 0]]).canvas_run(sample=1)
    assert run.n_steps == 0
    assert Packing.of(run).pack_run(run) == b""


def test_a_released_model_s_canvas_stays_below_a_megabyte_and_a_half():
    assert Packing(256, 8).stride * 48 < 1_500_000


def test_marks_of_a_comparison_and_readable_texts_go_with_a_run():
    run = synthetic_trace(length=9, steps=7, texts=NASTY_TEXTS).canvas_run()
    differing = np.zeros((10, 9), dtype=bool)
    differing[8, 3] = True
    records = Records()
    alone, compared = records.add(run), records.add(run, "words", differing)
    data = records.to_bytes()
    assert data[slice(*alone["differing"])] == b""
    np.testing.assert_array_equal(np.frombuffer(data[slice(*compared["differing"])], "u1").reshape(10, 9), differing)
    assert data[slice(*alone["data"])] == data[slice(*compared["data"])] == Packing.of(run).pack_run(run)
    occurring = np.unique(np.concatenate([run.array(name).ravel() for name in ID_FIELDS]))
    assert {str(token) for token in occurring} <= set(alone["texts"])
    for text in alone["texts"].values():
        assert 0 < len(text) < 200
        assert not set(text) & set("\n\t\x00\x1b\u202e\u200b")
