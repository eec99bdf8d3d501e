"""Arrays of any library, in any dtype, go straight into a recorder."""

import numpy as np
import pytest
import torch

from dgemma_viz import Recorder
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.host_arrays import host_array

VALUES = [[0.5, -2.0, 3.0], [1.0, 0.0, -0.125]]
IDS = [[1, 2, 0], [2, 0, 1]]


class OnlyDlpack:
    """What a library must have for others to read its arrays, and nothing else."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


class Namespace:
    float32 = torch.float32


class LikeMlx:
    """A bfloat16 array of mlx 0.32: its buffer has a format that numpy refuses, and so has its DLPack for numpy."""

    def __init__(self, tensor):
        self.tensor = tensor
        self.shape = tuple(tensor.shape)

    def __array_namespace__(self):
        return Namespace

    def astype(self, dtype):
        return LikeMlx(self.tensor.to(dtype))

    def __array__(self, dtype=None, copy=None):
        if self.tensor.dtype is torch.bfloat16:
            raise ValueError("'bfloat16' is not a valid PEP 3118 buffer format string")
        return self.tensor.numpy()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.float8_e5m2])
def test_floats_of_every_dtype(dtype):
    tensor = torch.tensor(VALUES).to(dtype)
    for given in (tensor, OnlyDlpack(tensor)) if dtype is not torch.float8_e5m2 else (tensor,):
        array = host_array(given)
        assert array.dtype.kind == "f"
        np.testing.assert_array_equal(array, VALUES)
    np.testing.assert_array_equal(host_array(LikeMlx(tensor.to(torch.bfloat16))), VALUES)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
def test_whole_numbers_stay_whole(dtype):
    for given in (torch.tensor(IDS, dtype=dtype), OnlyDlpack(torch.tensor(IDS, dtype=dtype)), IDS, np.array(IDS)):
        array = host_array(given)
        assert array.dtype.kind in "iu"
        np.testing.assert_array_equal(array, IDS)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_extension_dtypes_as_jax_has_them(dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = host_array(np.array(VALUES, dtype=getattr(ml_dtypes, dtype)))
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, VALUES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("text", "holds <U4, not numbers"),
        (None, "holds object, not numbers"),
        ([[1, 2], [3]], "is a list that cannot be read as an array of numbers .setting an array element"),
        (np.array([None, "x"], dtype=object), "is a ndarray that cannot be read as an array .*; cast it to float32"),
    ],
)
def test_what_is_no_array_of_numbers(given, message):
    with pytest.raises(TypeError, match=message):
        host_array(given)


@pytest.mark.parametrize("library", [LikeMlx, OnlyDlpack, torch.Tensor.detach])
def test_logits_in_bfloat16_are_reduced_as_their_numbers_are(library):
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    steps = []
    for given in (library(logits), logits.float().numpy()):
        recorder = Recorder(vocab_size=9)
        recorder.step(noised=[1, 2, 3, 4], logits=given, candidate=[1, 1, 1, 1])
        recorder.emit([1, 1, 1, 1])
        steps.append(recorder.trace)
    for name in ("draft", "entropy", "confidence", "candidate_probability", "top_k_ids", "top_k_probabilities"):
        np.testing.assert_allclose(getattr(steps[0], name), getattr(steps[1], name), rtol=1e-3, err_msg=name)


def test_a_refusal_names_the_argument_and_what_to_do():
    class Unreadable:
        def __array__(self, dtype=None, copy=None):
            raise ValueError("'complex4' is not a valid PEP 3118 buffer format string")

    with pytest.raises(
        RecordingError,
        match=r"canvas 0, step 0: 'logits' is a Unreadable that cannot be read as an array of numbers \('complex4' is "
        r"not .*; cast it to float32",
    ):
        Recorder().step(noised=[1, 2], logits=Unreadable())
