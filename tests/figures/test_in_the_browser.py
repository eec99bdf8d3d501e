"""What Plotly makes of hostile tokens: text, never elements."""

import pytest
from plotly.offline import get_plotlyjs

from dgemma_viz.figures import alternatives, heatmap, position_history, token_canvas
from tests.synthetic import NASTY_TEXTS, synthetic_trace

HOSTILE = tuple(text for text in NASTY_TEXTS if set("<&%$\u202e") & set(text))


@pytest.mark.browser
def test_hostile_tokens_stay_text(chromium):
    trace = synthetic_trace(texts=HOSTILE, length=24, steps=4)
    drawn = [token_canvas(trace, columns=6), heatmap(trace), alternatives(trace), position_history(trace)]
    charts = "".join(figure.to_html(full_html=False, include_plotlyjs=False) for figure in drawn)
    page = chromium.new_page(viewport={"width": 900, "height": 1600})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(f"<!doctype html><meta charset=utf-8><script>{get_plotlyjs()}</script>{charts}")
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .gtitle').length === 4")
    assert page.locator("svg a, svg script, svg b").count() == 0
    shown = page.locator(".textpoint").all_text_contents()
    assert any("<b>bold" in text for text in shown)
    assert any("%{meta" in text for text in shown)
    page.locator(".js-plotly-plot").first.locator(".nsewdrag").first.hover()
    page.locator(".hoverlayer .hovertext").first.wait_for()
    assert page.locator("svg a, svg script").count() == 0
    assert not errors
    page.close()
