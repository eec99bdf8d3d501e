"""Joined token texts read as the tokenizer decodes, for decoders of every kind."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dgemma_viz.plain_text import joined, seen, to_bytes
from dgemma_viz.trace.tokenizer import TokenTexts, tokenizer_of
from tests.recorders.conftest import small_tokenizer

UNKNOWN = "[UNK]"
PIECES = ["<unk>", "a", "▁a", "▁the", "▁cat", "s", ",", "<0xE2>", "<0x98>", "<0x83>", "\n", "▁▁"]


def sentencepiece_like(decoder):
    table = Tokenizer(models.WordLevel({piece: index for index, piece in enumerate(PIECES)}, unk_token=PIECES[0]))
    table.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    table.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=table, unk_token=PIECES[0], clean_up_tokenization_spaces=False)


GEMMA = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
LLAMA = decoders.Sequence([GEMMA, decoders.Strip(" ", 1, 0)])


@pytest.mark.parametrize("decoder", [GEMMA, LLAMA, decoders.Metaspace()], ids=["gemma", "llama", "metaspace"])
def test_spaces_of_sentencepiece_stay(decoder):
    tokenizer = sentencepiece_like(decoder)
    texts = TokenTexts(tokenizer).of(range(len(PIECES)))
    ids = [3, 4, 5, 6, 2, 4]
    assert [texts[token] for token in ids] == [" the", " cat", "s", ",", " a", " cat"]
    assert "".join(texts[token] for token in ids).strip() == tokenizer.decode(ids).strip()


def test_parts_of_a_character_keep_their_bytes():
    texts = TokenTexts(sentencepiece_like(GEMMA)).of([7, 8, 9])
    assert [to_bytes(text) for text in texts.values()] == [b"\xe2", b"\x98", b"\x83"]
    assert joined(texts.values()) == "☃"
    assert [seen(text) for text in texts.values()] == ["⟨E2⟩", "⟨98⟩", "⟨83⟩"]


def test_a_byte_level_vocabulary_keeps_the_bytes_of_each_token():
    table = Tokenizer(models.BPE(unk_token=None))
    table.pre_tokenizer, table.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    table.train_from_iterator(["a b"], trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=table)
    ids = tokenizer.encode("日本 👨‍👩‍👧 ab")
    texts = TokenTexts(tokenizer).of(ids)
    assert joined(texts[token] for token in ids) == "日本 👨‍👩‍👧 ab"
    assert all(len(to_bytes(texts[token])) == 1 for token in ids[:6])


def test_wordpiece_continuations():
    table = Tokenizer(models.WordPiece({UNKNOWN: 0, "a": 1, "play": 2, "##ing": 3}, unk_token=UNKNOWN))
    table.decoder = decoders.WordPiece()
    texts = TokenTexts(PreTrainedTokenizerFast(tokenizer_object=table, unk_token=UNKNOWN)).of([2, 3])
    assert texts == {2: " play", 3: "ing"}


def test_fused_characters_and_special_tokens_are_exact():
    tokenizer = small_tokenizer()
    texts = TokenTexts(tokenizer).of(range(len(tokenizer)))
    assert texts[1] == "<eos>"
    ids = [4, 9, 10, 11, 1, 0]
    assert "".join(texts[token] for token in ids) == tokenizer.decode(ids)


def test_a_decoder_only_object_is_enough():
    class Bare:
        def __len__(self):
            return 3

        def decode(self, ids, **_options):
            return "".join("xyz"[token] for token in ids)

    texts = TokenTexts(Bare())
    assert texts.of([0, 2, 7]) == {0: "x", 2: "z"}
    assert texts.one(7) == "⟨7⟩"


def test_no_tokenizer_no_texts():
    assert TokenTexts(None).of([1, 2]) == {}


def test_texts_are_made_once():
    class Counting:
        calls = 0

        def __len__(self):
            return 100

        def decode(self, ids, **_options):
            self.calls += 1
            return "x" * len(ids)

    counting = Counting()
    texts = TokenTexts(counting)
    texts.of(range(50))
    before = counting.calls
    texts.of(range(50))
    assert counting.calls == before


def test_the_tokenizer_of_a_processor():
    tokenizer = small_tokenizer()

    class Processor:
        def __init__(self):
            self.tokenizer = tokenizer

    assert tokenizer_of(Processor()) is tokenizer
    assert tokenizer_of(tokenizer) is tokenizer
    assert tokenizer_of(None) is None
