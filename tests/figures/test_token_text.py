"""Token text is data: always visible, always short, never markup."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.token_text import display_text, escape, label

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "∅"),
        (" ", "␣"),
        (" the", "␣the"),
        ("\n", "↵"),
        ("a\tb", "a⇥b"),
        ("\r\n", "␍↵"),
        ("\x00", "␀"),
        ("\x1b[0m", "␛[0m"),
        ("\x7f", "␡"),
        ("\u00a0", "⍽"),
        ("\u200b", "⟨U+200B⟩"),
        ("\u202eabc", "⟨U+202E⟩abc"),
        ("\u2028", "⟨U+2028⟩"),
        ("\u3164", "⟨U+3164⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("<b>", "<b>"),
        ("漢字", "漢字"),
        ("😀", "😀"),
        ("שלום", "שלום"),
    ],
)
def test_what_a_reader_sees(text, shown):
    assert display_text(text) == shown


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("abc", 1, "…"), ("a", 1, "a"), ("x\u200by", 8, "x…")],
)
def test_long_texts_are_cut(text, length, shown):
    assert display_text(text, length) == shown


def test_a_length_of_nothing_is_refused():
    with pytest.raises(SettingError, match="max_length of 0"):
        display_text("a", 0)


@given(st.text(), st.integers(1, 50))
def test_never_invisible_never_too_long_never_empty(text, length):
    shown = display_text(text, length)
    assert 1 <= len(shown) <= length
    assert not {unicodedata.category(character) for character in shown} & INVISIBLE


@given(st.text(max_size=30))
def test_short_different_texts_stay_different(text):
    twin = display_text(text + "a", 1000)
    assert display_text(text, 1000) != twin


@given(st.text())
def test_escaped_text_is_no_markup_and_reads_the_same(text):
    escaped = escape(text)
    assert not set("<>$") & set(escaped)
    assert "%{" not in escaped
    assert html.unescape(escape("<&>%{x}$y$")) == "<&>%{x}$y$"


def test_right_to_left_text_is_isolated():
    assert label("שלום") == "\u2068שלום\u2069"
    assert label("<b>") == "&lt;b&gt;"
    assert label("") == "∅"


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=40))
def test_plain_characters_are_made_readable_one_by_one_or_at_once(text):
    assert display_text(text, 400) == "".join(map(display_text, text))
