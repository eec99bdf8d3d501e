"""The passage around tokens, and marks that reach over whole words: of code, tables, and scripts without spaces."""

import pytest

from dgemma_viz.passage import Passages, passage, whole_words
from dgemma_viz.plain_text import from_bytes, visible
from tests.real_text import pieces_of, real_trace
from tests.synthetic import NASTY_TEXTS

FAMILY = "👨\u200d👩\u200d👧\u200d👦"


def around(word, text, most=40):
    """The passage of the tokens that a word of a text was cut into."""
    pieces = pieces_of(text)
    begin = next(n for n in range(len(pieces)) if "".join(pieces[n:]).lstrip().startswith(word))
    end = next(n for n in range(begin + 1, len(pieces) + 1) if word in "".join(pieces[begin:n]))
    return passage(pieces, range(begin, end), most)


def test_a_passage_reads_as_text_and_is_cut_between_words():
    code = "import re\n\n\ndef count_words(text: str, top: int = 3):\n    return Counter(words).most_common(top)\n"
    assert around("count_words", code) == "“… re ↵ def count_words(text: str, top: int …”"
    assert around("import", code) == "“import re ↵ def count_words(text: str, …”"
    assert around("return", code, 24) == "“… = 3): ↵ return …”"
    assert passage(pieces_of(code), range(1, 30)).count("…") == 3, "a long one is cut in its middle, too"
    assert around("two", "one two three") == "“one two three”"
    assert passage([], []) == passage(["a"], []) == passage([" "], [0]) == ""


def test_characters_of_several_tokens_are_whole():
    pieces = [*pieces_of(f"a family {FAMILY} goes"), from_bytes(b"\xe3\x81")]
    text = Passages(pieces)
    assert {text.at([position]) for position in range(3, len(pieces) - 2)} == {f"“a family {FAMILY} goes⟨E3⟩⟨81⟩”"}
    japanese = "この関数は文章の中の単語を数えます。「猫」という言葉は二回出てきます。"
    said = passage(list(japanese), [japanese.index("猫")], 12)
    assert said.strip("“… ”") in japanese
    assert "「猫」" in said
    assert len(said) <= 12 + 6


def test_every_position_of_a_real_text_and_of_a_hostile_one_has_a_short_passage():
    trace = real_trace()
    for texts in (trace.token_texts_of(trace.canvas_run(1).emitted), list(NASTY_TEXTS), ["<eos>"] * 300):
        text = Passages(texts)
        said = [text.at([position]) for position in range(len(texts))]
        assert all(one.startswith("“") and one.endswith("”") for one in said)
        assert all("\n" not in one and "\u202e" not in one and "\x1b" not in one for one in said)
        assert max(len(one) for one, token in zip(said, texts, strict=True) if len(token) < 40) <= 40 + 30


@pytest.mark.parametrize(
    ("texts", "marked", "words"),
    [
        ("def| count|_wor|ds|(|text", "001000", "011100"),
        ("日|本|語", "010", "010"),
        ("don|'|t| go", "1000", "1000"),
        ("ال|كلم|ات| في", "0100", "1110"),
        ("a| |b", "010", "010"),
    ],
)
def test_a_change_inside_a_word_marks_the_word(texts, marked, words):
    assert "".join(str(int(one)) for one in whole_words(texts.split("|"), [m == "1" for m in marked])) == words


def test_parts_of_one_character_are_one_word():
    pieces = pieces_of(f"x {FAMILY} y")
    marks = whole_words(pieces, [n == 4 for n in range(len(pieces))])
    assert [n for n, mark in enumerate(marks) if mark] == list(range(2, len(pieces) - 1))


def test_what_joins_a_character_is_not_made_visible_and_what_hides_is():
    assert visible(f"{FAMILY} می\u200cشود") == f"{FAMILY} می\u200cشود"
    assert visible("a\u200db\u200d") == "a⟨U+200D⟩b⟨U+200D⟩"
    assert visible("👨\u200d\u200d👩") == "👨⟨U+200D⟩⟨U+200D⟩👩"
