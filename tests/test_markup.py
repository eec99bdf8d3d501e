"""HTML is escaped as it is built."""

from dgemma_viz.markup import Markup, markup, tag


def test_whatever_is_put_into_a_tag_is_text():
    evil = "<b>\"'&"
    assert tag("td", evil) == "<td>&lt;b&gt;&quot;&#x27;&amp;</td>"
    assert tag("td", title=evil) == '<td title="&lt;b&gt;&quot;&#x27;&amp;"></td>'
    assert tag("p", tag("b", evil), 3) == "<p><b>&lt;b&gt;&quot;&#x27;&amp;</b>3</p>"


def test_lists_are_opened_and_what_is_none_is_left_out():
    assert markup(["a", None, (tag("i", str(n)) for n in range(2))], False, "") == "a<i>0</i><i>1</i>"
    assert isinstance(markup("a"), Markup)


def test_attributes():
    told = tag("details", class_="one", aria_label="a", open=True, hidden=False, style=None, tabindex=0)
    assert told == '<details class="one" aria-label="a" tabindex="0" open></details>'
    assert tag("br") == "<br>"
