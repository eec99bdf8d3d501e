"""Canvases of different lengths: each is what it is, and nothing is held, shown or counted beyond it."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.errors import TraceError
from dgemma_viz.trace import Decision, load_trace, save_json_lines
from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.schema import ARRAYS
from tests.synthetic import synthetic_trace

LENGTHS = (12, 12, 5)


@pytest.fixture(scope="module")
def ragged():
    return synthetic_trace(canvases=3, samples=2, length=LENGTHS, steps=6, seed=3)


def assert_equal(first, second):
    for name in ARRAYS:
        tolerance = 1e-6 if ARRAYS[name].provenance == "derived" else 0  # summed in another order
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), tolerance, tolerance, err_msg=name)


def test_each_canvas_is_given_in_its_own_length(ragged):
    assert ragged.canvas_lengths.tolist() == [*LENGTHS]
    assert (ragged.canvas_length, ragged.lengths_in_words) == (12, "5 to 12 positions")
    assert "5 to 12 positions" in repr(ragged)
    for canvas, length in enumerate(LENGTHS):
        run = ragged.canvas_run(canvas, 1)
        assert run.canvas_length == length
        assert run.emitted.shape == run.in_output.shape == (length,)
        assert run.array("draft").shape == (run.n_steps, length)
        assert run.array("top_k_ids").shape == (run.n_steps, length, 8)
        assert np.isfinite(run.array("entropy")).all()
        assert run.decided.all()


def test_canvases_lie_end_to_end_without_gaps(ragged):
    ids = ragged.emitted_ids(1)
    assert ids.shape == (29,)
    assert [ragged.place(index) for index in (0, 11, 12, 24, 28, 29)] == [
        (0, 0),
        (0, 11),
        (1, 0),
        (2, 0),
        (2, 4),
        (3, 0),
    ]
    assert [ragged.index(*ragged.place(index)) for index in range(30)] == [*range(30)]
    assert all(ids[i] == ragged.emitted[ragged.place(i)[0], 1, ragged.place(i)[1]] for i in range(29))
    assert ragged.output_span == (0, 29)
    whole = replace(ragged, facts=replace(ragged.facts, eos_token_ids=()))
    assert whole.output_text(1) == "".join(map(ragged.token_text, ids))


def test_nothing_is_beyond_a_canvas(ragged):
    beyond = ~ragged.in_canvas
    assert beyond.any()
    for name in ("noised", "candidate", "draft", "top_k_ids"):
        assert (getattr(ragged, name).swapaxes(1, 2)[beyond] == UNKNOWN_TOKEN).all()
        with pytest.raises(TraceError, match=f"'{name}' holds token ids beyond its canvas"):
            replace(ragged, **{name: np.maximum(getattr(ragged, name), 0)})
    with pytest.raises(TraceError, match="'emitted' holds token ids beyond"):
        replace(ragged, emitted=np.maximum(ragged.emitted, 0))
    with pytest.raises(TraceError, match="decides on all positions of a sample's canvas or on none"):
        replace(ragged, decision=np.where(ragged.decision == NO_DECISION, Decision.NOISE, ragged.decision))


def test_lengths_that_cannot_be(ragged):
    with pytest.raises(TraceError, match="'length' runs from 0 to 12"):
        replace(ragged, length=np.where(ragged.length == 5, 0, ragged.length))
    with pytest.raises(TraceError, match="the longest has C=12"):
        replace(ragged, length=np.full_like(ragged.length, 5))
    changing = ragged.length.copy()
    changing[0] = 11
    with pytest.raises(TraceError, match="changes within a canvas"):
        replace(ragged, length=changing)


def test_it_survives_both_file_formats(ragged, tmp_path):
    ragged.save(tmp_path / "run.safetensors")
    assert_equal(ragged, load_trace(tmp_path / "run.safetensors"))
    save_json_lines(ragged, tmp_path / "run.jsonl")
    logged = load_trace(tmp_path / "run.jsonl")
    assert_equal(replace(ragged, prompt=logged.prompt), logged)


def test_tables_hold_the_positions_that_there_are(ragged):
    table = ragged.to_dataframe()
    counts = {canvas: int((ragged.canvas == canvas).sum()) for canvas in range(3)}
    assert len(table) == sum(2 * length * counts[canvas] for canvas, length in enumerate(LENGTHS))
    assert (table.draft >= 0).all()
    assert table.entropy.notna().all()
    assert table[table.canvas == 2].position.max() == 4
    assert set(table[table.canvas == 2].length) == {5}
    dataset = ragged.to_xarray()
    assert dataset.sizes["position"] == 12
    assert int(dataset.entropy.isnull().sum()) == 2 * 7 * counts[2]
