"""What holds for all figures of tables over runs: any theme, nothing to draw, provenance, hostile tokens."""

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from dgemma_viz import figures
from dgemma_viz.analysis.run_set import RunSet
from tests.figures.drawn_text import DANGEROUS, message_of, strings_of
from tests.figures.of_a_table import TABLES
from tests.hurried_runs import grid_prompts, hurried_runs
from tests.synthetic import NASTY_TEXTS, synthetic_trace

one_prompt = pytest.fixture(scope="module")(lambda: hurried_runs().where(prompt=grid_prompts()[0]))


def draw(name, runs, **options):
    return getattr(figures, name)(TABLES[name](runs), **options)


@pytest.mark.parametrize("name", TABLES)
def test_real_runs_in_both_themes(name, one_prompt):
    for theme in ("light", "dark"):
        figure = draw(name, one_prompt, theme=theme)
        assert figure.layout.meta["figure"] == name
        assert figure.layout.uirevision == f"dgemma_viz.{name}"
        assert figure.data
        assert figure.to_json()


@pytest.mark.parametrize("name", TABLES)
def test_without_runs_there_is_a_plain_message(name):
    figure = draw(name, RunSet())
    assert not figure.data
    assert message_of(figure)


@pytest.mark.parametrize("name", TABLES)
def test_one_run_is_enough(name, one_prompt):
    assert draw(name, one_prompt[:1]).data


@pytest.mark.parametrize("name", TABLES)
def test_every_value_says_where_it_is_from(name, one_prompt):
    for trace in draw(name, one_prompt).data:
        if trace.hoverinfo != "skip":
            text = " ".join(strings_of([trace.hovertemplate, trace.customdata, trace.text, trace.hovertext]))
            assert "derived" in text, trace.name


def hostile_runs():
    traces = [synthetic_trace(texts=NASTY_TEXTS, length=30, steps=4, seed=seed) for seed in range(4)]
    return RunSet.of(traces, "<b>bold</b>")


@pytest.mark.parametrize("name", TABLES)
def test_tokens_are_data_not_markup(name):
    runs = RunSet(tuple(_same_prompt(run) for run in hostile_runs()))
    for text in strings_of(draw(name, runs).to_plotly_json()):
        assert not [danger for danger in DANGEROUS if danger in text], text


def _same_prompt(run):
    from dataclasses import replace

    return replace(run, prompt="same")


@pytest.mark.browser
def test_plotly_draws_them_all_without_an_error(chromium):
    runs = RunSet(tuple(_same_prompt(run) for run in hostile_runs()))
    charts = "".join(draw(name, runs).to_html(full_html=False, include_plotlyjs=False) for name in TABLES)
    page = chromium.new_page(viewport={"width": 420, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.set_content(f"<!doctype html><meta charset=utf-8><script>{get_plotlyjs()}</script>{charts}")
    page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .gtitle').length === {len(TABLES)}")
    assert page.locator("svg a, svg script").count() == 0
    assert page.locator(".js-plotly-plot .point, .js-plotly-plot .trace").count() > len(TABLES)
    assert not errors
    page.close()


def test_error_bars_reach_the_wider_of_both_intervals(one_prompt):
    table = TABLES["reliability_diagram"](one_prompt)
    shown = table[table["count"] > 0]
    bars = draw("reliability_diagram", one_prompt).data[2].error_y
    top = shown["accuracy"].to_numpy() + np.asarray(bars["array"])
    np.testing.assert_allclose(top, np.fmax(shown["high"], shown["runs_high"]))
