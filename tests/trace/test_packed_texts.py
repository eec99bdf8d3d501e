"""Token texts come back as they were, compressed or plain, and nothing unpacks to much more than is there."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import load_trace
from dgemma_viz.trace.token_texts import pack_texts, unpack_texts
from tests.synthetic import NASTY_TEXTS, synthetic_trace

WORDS = [f" word{n}" for n in range(2_000)]


@pytest.mark.parametrize(
    ("texts", "compressed"),
    [(WORDS, True), ([], False), ([*NASTY_TEXTS, "\ud800", None] * 3, True), (["x" * 100_000], False), ([None], False)],
)
def test_texts_come_back_and_are_compressed_where_that_is_within_bounds(texts, compressed):
    data = pack_texts(texts)
    assert unpack_texts(data, len(texts)) == texts
    assert data.startswith(b"[") != compressed
    plain = json.dumps(texts, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert len(data) < len(plain) / 2 if compressed else len(data) <= len(plain)
    assert unpack_texts(plain, len(texts)) == texts, "as schemas 1 and 2 hold them"


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=()), max_size=40), max_size=60))
def test_any_texts_come_back(texts):
    assert unpack_texts(pack_texts(texts), len(texts)) == texts


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zlib.compress(b"[" + b'"",' * 999_999 + b'""]'), "compressed beyond"),
        (zlib.compress(b" " * 10_000_000), "compressed beyond"),
        (zlib.compress(b'["a"]')[:-1], "does not end"),
        (zlib.compress(b'["a"]') + b"x", "does not end"),
        (zlib.compress(b"nonsense"), "not UTF-8 JSON"),
        (zlib.compress(b"[1]"), "not text"),
        (b"x\x9cnonsense", "nor compressed"),
        (b"", "does not end"),
        (b'["a","b"]', "one entry per token"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(data, words):
    with pytest.raises(TraceFileError, match=words):
        unpack_texts(data, 1)


def test_a_trace_of_many_tokens_is_saved_small(tmp_path):
    trace = synthetic_trace(length=8, steps=2, texts=[f" word{n}" for n in range(20_000)])
    trace.save(tmp_path / "run.safetensors")
    assert dict(load_trace(tmp_path / "run.safetensors").token_texts) == dict(trace.token_texts)
    assert (tmp_path / "run.safetensors").stat().st_size < 20_000 * (4 + 5)
