"""The inside of a pass as data: what it may hold, its file, and files that somebody else made of one."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dgemma_viz.errors import SettingError, TraceError, TraceFileError
from dgemma_viz.trace import load_trace
from dgemma_viz.trace.inside import InsideFacts, Lens, load_inside
from dgemma_viz.trace.stored_arrays import read_stored
from tests.synthetic import synthetic_trace
from tests.synthetic_inside import synthetic_inside


@pytest.fixture(scope="module")
def seen():
    return synthetic_inside()


@pytest.fixture
def saved(seen, tmp_path):
    path = tmp_path / "step.safetensors"
    seen.save(path)
    return path


def rewritten(path, facts=None, metadata=None, **arrays):
    """The file with other arrays (None: without), facts or metadata."""
    known, _ = read_stored(path, "dgemma_viz.inside")
    if facts is not None:
        known["facts"] = json.dumps(json.loads(known["facts"]) | facts)
    held = load_file(path) | {name.replace("__", "."): array for name, array in arrays.items()}
    save_file({name: array for name, array in held.items() if array is not None}, path, known | (metadata or {}))
    return path


def assert_equal(one, two):
    assert one.facts == two.facts
    assert one.parts().keys() == two.parts().keys()
    for name in ("context", "context_mask", "noised", "origin", "draft", "entropy", "confidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name, part in one.parts().items():
        for of, array in part.arrays().items():
            np.testing.assert_array_equal(array, two.parts()[name].arrays()[of])
            assert array.dtype == two.parts()[name].arrays()[of].dtype


def test_a_saved_inside_opens_equal(seen, saved):
    again = load_inside(saved)
    assert_equal(again, seen)
    assert {again.token_text(token) for token in again.ids_that_occur()} == {
        seen.token_text(token) for token in seen.ids_that_occur()
    }
    assert again.facts.interventions[0].describe() == "canvas 0, step 1: drop the self-conditioning"
    with pytest.raises(ValueError, match="read-only"):
        again.lens.ids[0] = 0


def test_only_some_parts_are_saved(seen, tmp_path):
    seen.only("lens").save(tmp_path / "lens.safetensors")
    again = load_inside(tmp_path / "lens.safetensors")
    assert list(again.parts()) == ["lens"]
    assert again.facts.variants == ()
    assert list(seen.only().parts()) == []
    with pytest.raises(SettingError, match="no part 'lense'"):
        seen.only("lense")


@pytest.mark.parametrize(("vocabulary", "most"), [(5_000, 200_000), (262_144, 200_000)])
def test_a_lens_of_thirty_layers_is_small(tmp_path, vocabulary, most):
    """Over the released canvas; the second has a token of its own nearly everywhere, as no model has."""
    wide = synthetic_inside(layers=30, positions=256, context=0, vocabulary=vocabulary).only("lens")
    if vocabulary > 5_000:
        lens = wide.lens
        two = Lens(lens.depth, lens.ids[..., :2], lens.probability[..., :2], lens.entropy, lens.divergence)
        wide = replace(wide, lens=two, token_texts={})
    wide.save(tmp_path / "lens.safetensors")
    assert (tmp_path / "lens.safetensors").stat().st_size < most


def test_it_opens_without_torch(saved):
    script = (
        "import sys; from dgemma_viz.trace.inside import load_inside; import dgemma_viz.analysis.inside;"
        f"print(load_inside({str(saved)!r})); assert not {{'torch', 'transformers', 'pandas'}} & {{*sys.modules}}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Inside of canvas 0, step 1: 6 positions, lens" in done.stdout


def test_stands_from_is_the_depth_behind_the_last_other_draft():
    best = np.array([[1, 5, 2, 3], [9, 5, 3, 3], [1, 4, 3, 3], [1, 5, 3, 3]])[:, :, None]
    nothing = np.zeros((4, 4))
    seen = synthetic_inside(positions=4)
    lens = replace(seen.only("lens"), lens=Lens([0, 2, 5, 6], best, nothing[:, :, None], nothing, nothing)).lens
    assert lens.stands_from.tolist() == [5, 6, 2, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"context_mask": np.ones(5)}, "P=5, where P=4"),
        ({"draft": np.zeros((6, 1))}, "has 2 axes"),
        ({"noised": np.zeros(0), "origin": [], "draft": [], "entropy": [], "confidence": []}, "at least one position"),
        ({"origin": np.full(6, 9)}, "holds the code 9"),
        ({"lens": Lens([0], np.zeros((1, 5, 2)), *(np.zeros(s) for s in ((1, 5, 2), (1, 5), (1, 5))))}, "C=5"),
        (
            {"lens": Lens([3, 1], np.zeros((2, 6, 1)), np.zeros((2, 6, 1)), *np.zeros((2, 2, 6)))},
            "must be there",
        ),
        ({"lens": Lens([0], np.zeros((1, 6, 1)), np.full((1, 6, 1), 2), *np.zeros((2, 1, 6)))}, "is a probability"),
        ({"facts": InsideFacts(experts=4)}, "0 are told of"),
    ],
)
def test_what_does_not_fit_is_refused(seen, change, said):
    with pytest.raises(TraceError, match=said):
        replace(seen, **change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metadata": {"format": "dgemma_viz.inside2"}}, "not the inside of a step"),
        ({"metadata": {"schema_version": "2"}}, "schema '2' of an inside"),
        ({"metadata": {"facts": "{"}}, "inconsistent"),
        ({"facts": {"nonsense": 1}}, "unknown facts"),
        ({"facts": {"canvas": "x"}}, "fact 'canvas'"),
        ({"facts": {"heads": -1}}, "fact 'heads'"),
        ({"facts": {"agreement": "surely"}}, "fact 'agreement'"),
        ({"facts": {"variants": [{"kind": "Explode", "step": 0}]}}, "'variants' of an inside cannot be read"),
        ({"context": None}, "lacks the arrays"),
        ({"lens__ids": None}, r"lacks the arrays \['lens.ids'\]"),
        ({"more": np.zeros(2, np.int32)}, "not part of an inside"),
        ({"lens__entropy": np.zeros((4, 6), np.float64)}, "is F64"),
        ({"lens__ids": np.zeros((4, 6), np.uint16)}, "with 2 axes"),
        ({"lens__ids": np.full((4, 6, 3), 60_000, np.uint16)}, "points outside 'vocabulary'"),
        ({"vocabulary": np.zeros(50, np.int32)}, "not strictly ascending"),
        ({"experts__chosen": np.full((3, 6, 2), 9, np.uint16)}, "names expert 9 of 4"),
    ],
)
def test_a_file_that_is_none_is_refused(saved, change, said):
    with pytest.raises(TraceFileError, match=said):
        load_inside(rewritten(saved, **change))


def test_a_trace_is_no_inside_and_a_cut_file_is_none(saved, tmp_path):
    trace = tmp_path / "trace.safetensors"
    synthetic_trace().save(trace)
    with pytest.raises(TraceFileError, match="a trace, perhaps"):
        load_inside(trace)
    with pytest.raises(TraceFileError, match="not a dgemma_viz trace"):
        load_trace(saved)
    saved.write_bytes(saved.read_bytes()[:-7])
    with pytest.raises(TraceFileError, match="truncated"):
        load_inside(saved)
    with pytest.raises(TraceFileError, match=r"none\.safetensors"):
        load_inside(Path(tmp_path / "none.safetensors"))
