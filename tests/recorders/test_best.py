"""The exact block-wise top-k against torch's own."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.recorders.reduce import best_of, first_best


@settings(max_examples=80)
@given(
    size=st.integers(1, 20_000) | st.just(512 * 40),
    count=st.integers(0, 3),
    k=st.integers(1, 9),
    levels=st.sampled_from([2, 50, 2**20]),
    ruled_out=st.sampled_from([0.0, 0.5, 0.9999]),
    seed=st.integers(0, 2**31),
)
def test_the_same_values_as_topk(size, count, k, levels, ruled_out, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(levels, (count, size), generator=generator).float()
    rows[torch.rand(rows.shape, generator=generator) < ruled_out] = -torch.inf
    before, k = rows.clone(), min(k, size)
    values, ids, first = best_of(rows, k)
    assert torch.equal(rows, before)
    assert torch.equal(values, torch.topk(rows, k).values)
    assert torch.equal(rows.gather(-1, ids), values)
    assert all(len(set(row)) == k for row in ids.tolist())
    assert torch.equal(first, rows.argmax(-1))
    assert torch.equal(first_best(rows[None]), rows.argmax(-1)[None])


def test_nan_and_infinity_come_first_as_in_topk():
    rows = torch.zeros(2, 30_000)
    rows[0, 29_990], rows[0, 7] = float("nan"), float("inf")  # one in the rest that fills no block
    rows[1, 12_345] = 1.0
    values, ids, first = best_of(rows, 3)
    assert ids[0, :2].tolist() == [29_990, 7]
    assert first.tolist() == first_best(rows).tolist() == rows.argmax(-1).tolist() == [29_990, 12_345]
    rows[0, 29_000] = float("nan")
    assert first_best(rows)[0] == 29_000
    assert values[0, 0].isnan()
    assert ids[1, 0] == 12_345
