"""HTML is escaped as it is built."""

from dgemma_viz import check_conformance, diagnose, explore
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.views import contents
from dgemma_viz.views.contents import unframe
from dgemma_viz.views.still import still_html
from dgemma_viz.widgets.panels import alert
from tests.synthetic import synthetic_trace


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


def walked(value):
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walked(one)


def test_hosts_are_given_plain_text():
    """marimo's encoder, for one, refuses every subclass of str."""
    trace, other = synthetic_trace(), synthetic_trace(seed=1)
    shown = [contents(trace), contents(pair_of(trace, other))]
    pages = [one.whole_page() for one in shown] + [unframe(one.place(0, 0))[0] for one in shown]
    viewer = explore(trace)
    state = viewer.get_state()
    assert [kind for kind in map(type, walked([*pages, state])) if issubclass(kind, str) and kind is not str] == []
    told = (diagnose(trace)._repr_html_(), check_conformance(trace)._repr_html_(), still_html(trace), alert("a"))
    assert {*map(type, told)} == {str}
    viewer.close()
