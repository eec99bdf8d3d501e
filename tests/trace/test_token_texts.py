"""Token texts are a dict to whoever reads them, in a fraction of its memory."""

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.token_texts import TokenTexts
from tests.synthetic import synthetic_trace

TEXTS = st.dictionaries(st.integers(0, 2**31 - 1), st.text(), max_size=20)


@given(TEXTS)
def test_they_equal_the_dict_that_they_were_packed_from(texts):
    packed = TokenTexts(texts)
    assert packed == texts
    assert list(packed) == sorted(texts)
    assert len(packed) == len(texts)
    assert all(packed[token] == packed[np.int32(token)] == text and token in packed for token, text in texts.items())
    ids = sorted(texts)
    assert TokenTexts.ascending([*ids, 2**31], [*(texts[token] for token in ids), None]) == texts


@given(TEXTS, st.lists(st.integers(-1, 2**31 - 1)))
def test_many_are_found_at_once(texts, others):
    ids = [*others, *texts]
    assert TokenTexts(texts).of(np.array(ids, dtype=np.int32)) == [texts.get(token) for token in ids]


def test_half_a_surrogate_pair_is_a_replacement_character():
    """No page, file or terminal could show it."""
    assert TokenTexts({1: "a\ud83db", 2: "\U0001f600"}) == {1: "a\ufffdb", 2: "\U0001f600"}


@pytest.mark.parametrize("absent", [0, 2, 4, -1, 2**70, "1", None, 1.5])
def test_what_is_not_there_is_not_found(absent):
    packed = TokenTexts({1: "a", 3: ""})
    assert absent not in packed
    assert packed.get(absent) is None
    with pytest.raises(KeyError):
        packed[absent]


@pytest.mark.parametrize("wrong", [{1: None}, {"1": "a"}, {1: b"a"}, {1.5: "a"}, {2**70: "a"}, {1: "a", "2": "b"}, 3])
def test_what_is_no_mapping_of_ids_to_texts_is_refused(wrong):
    with pytest.raises(TraceError, match="must map token ids to texts"):
        TokenTexts(wrong)


def test_a_vocabulary_takes_a_fraction_of_a_dict_s_memory():
    texts = {token: f" w{token}" for token in range(20_000)}
    tracemalloc.start()
    try:
        packed = TokenTexts(texts)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(packed) == len(texts)
    assert taken < 0.25 * (sys.getsizeof(texts) + sum(map(sys.getsizeof, [*texts, *texts.values()])))


def test_a_trace_keeps_token_texts_and_cannot_be_changed_through_what_it_was_made_from():
    trace = synthetic_trace()
    assert isinstance(trace.token_texts, TokenTexts)
    with pytest.raises(TypeError):
        trace.token_texts[1] = "other"
