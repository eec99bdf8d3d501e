"""The upload takes whole files in order, within its limit, and trusts nothing that arrives."""

import pytest

from dgemma_viz.widgets.trace_file_panel import MEGABYTE, TraceUpload
from tests.widgets.from_the_page import message


@pytest.fixture
def received():
    return []


@pytest.fixture
def upload(received):
    upload = TraceUpload(lambda name, data: received.append((name, data)), most_bytes=2 * MEGABYTE)
    upload.sent = []
    upload.send = lambda content, buffers=None: upload.sent.append(content)  # noqa: ARG005
    return upload


def begin(upload, name="run.safetensors", size=10, number=1):
    message(upload, {"kind": "begin", "number": number, "name": name, "size": size})


def piece(upload, data, start=0, number=1):
    message(upload, {"kind": "piece", "number": number, "from": start}, [memoryview(data)])


def test_a_file_in_two_pieces_arrives_whole(upload, received):
    begin(upload)
    piece(upload, b"01234", 0)
    assert received == []
    piece(upload, b"56789", 5)
    assert received == [("run.safetensors", b"0123456789")]
    asked = [(answer["kind"], answer["number"], answer["from"]) for answer in upload.sent]
    assert asked == [("next", 1, 0), ("next", 1, 5), ("done", 1, 0)]
    assert upload.problem == ""


def test_too_large_a_file_is_refused_before_anything_is_sent(upload, received):
    begin(upload, size=3 * MEGABYTE)
    assert "3.0 MB; the most is 2 MB" in upload.problem
    piece(upload, b"x" * 10)
    assert received == []


@pytest.mark.parametrize("size", [0, -1, "10", None, 1.5])
def test_a_size_that_is_none_is_refused(upload, received, size):
    begin(upload, size=size)
    assert "empty" in upload.problem
    assert received == []


def test_more_than_announced_is_refused(upload, received):
    begin(upload, size=4)
    piece(upload, b"12345")
    assert "broke off" in upload.problem
    piece(upload, b"1234")
    assert received == []


def test_pieces_out_of_order_are_refused(upload, received):
    begin(upload, size=8)
    piece(upload, b"5678", 4)
    assert "broke off" in upload.problem
    assert received == []


def test_a_new_file_replaces_one_that_is_under_way_and_clears_the_problem(upload, received):
    begin(upload, size=8)
    piece(upload, b"1234")
    begin(upload, size=3 * MEGABYTE)
    begin(upload, size=2)
    assert upload.problem == ""
    piece(upload, b"ab")
    assert received == [("run.safetensors", b"ab")]


def test_a_late_piece_of_another_file_is_not_mixed_in(upload, received):
    begin(upload, size=4, number=1)
    begin(upload, "other.jsonl", size=2, number=2)
    piece(upload, b"1234", number=1)
    assert received == []
    assert upload.problem == ""
    piece(upload, b"ab", number=2)
    assert received == [("other.jsonl", b"ab")]


@pytest.mark.parametrize("content", [None, [], "begin", {}, {"kind": "piece"}, {"kind": 7}])
def test_nonsense_is_ignored(upload, received, content):
    message(upload, content)
    assert received == []
    assert upload.sent == []
