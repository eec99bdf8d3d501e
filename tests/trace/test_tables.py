"""The exports agree with the arrays."""

import numpy as np

from dgemma_viz.trace import ARRAYS
from tests.synthetic import synthetic_trace


def test_dataframe_rows_are_steps_samples_and_positions():
    trace = synthetic_trace(canvases=2, samples=2, length=5)
    frame = trace.to_dataframe()
    assert len(frame) == trace.n_steps * 2 * 5
    row = frame.query("canvas == 1 and step_in_canvas == 0 and sample == 1 and position == 3").iloc[0]
    assert row.draft == trace.draft[row.step, 1, 3]
    assert row.draft_text == trace.token_text(row.draft)
    assert row.accepted == trace.accepted[row.step, 1, 3]
    assert row.temperature == trace.temperature[row.step]
    assert row.mean_entropy == trace.mean_entropy[row.step, 1]
    np.testing.assert_array_equal(frame.groupby("step").accepted.sum().to_numpy(), trace.accepted.sum(axis=(1, 2)))


def test_xarray_has_every_array_with_names_and_provenance():
    trace = synthetic_trace(canvases=2, samples=2)
    dataset = trace.to_xarray()
    for name, spec in ARRAYS.items():
        np.testing.assert_array_equal(dataset[name].values, getattr(trace, name))
        assert dataset[name].attrs["provenance"] == spec.provenance
    one = dataset.entropy.sel(step=1, sample=0, position=2)
    assert float(one) == trace.entropy[1, 0, 2]
    assert dataset.top_k_ids.dims == ("step", "sample", "position", "rank")
