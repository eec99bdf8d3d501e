"""What holds for all figures of a trace: any trace, any option, escaped tokens, provenance, no heavy imports."""

import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.figures.quantities import QUANTITIES
from dgemma_viz.trace import ARRAYS, Trace
from tests.figures.drawn_text import DANGEROUS, message_of, strings_of
from tests.figures.of_a_trace import ALL
from tests.synthetic import NASTY_TEXTS, synthetic_trace, undecided


@given(
    name=st.sampled_from(sorted(ALL)),
    sizes=st.fixed_dictionaries(
        {
            "length": st.integers(1, 20) | st.tuples(st.integers(1, 20), st.integers(1, 20)),
            "steps": st.integers(1, 14),
            "seed": st.integers(0, 9999),
        }
    ),
    texts=st.lists(st.text(), min_size=1, max_size=12).map(tuple),
    theme=st.sampled_from(["light", "dark"]),
    options=st.data(),
)
@settings(max_examples=60)
def test_any_trace_and_option(name, sizes, texts, theme, options):
    trace = synthetic_trace(texts=texts, canvases=2, samples=2, **sizes)
    trace = undecided(trace, *options.draw(st.sets(st.integers(0, trace.n_steps - 1), max_size=2)))
    canvas, sample = options.draw(st.integers(0, 1)), options.draw(st.integers(0, 1))
    arguments = {"canvas": canvas, "sample": sample, "theme": theme}
    if name != "commit_order":
        steps = trace.canvas_run(canvas, sample).n_steps
        arguments["step"] = options.draw(st.integers(-steps, steps - 1))
    if name in {"alternatives", "position_history", "heatmap"}:
        arguments["position"] = options.draw(st.integers(0, trace.canvas_run(canvas, sample).canvas_length - 1))
    if name in {"heatmap", "token_canvas"}:
        arguments["quantity"] = options.draw(st.sampled_from(sorted(QUANTITIES)))
    figure = ALL[name](trace, **arguments)
    assert figure.layout.meta["figure"] == name
    assert figure.layout.uirevision == f"dgemma_viz.{name}"
    assert figure.to_json()


@pytest.mark.parametrize("name", ALL)
def test_tokens_are_data_not_markup(name):
    trace = synthetic_trace(texts=NASTY_TEXTS, length=40, steps=6)
    places = [{}] if name not in {"alternatives", "position_history"} else [{"position": p} for p in range(40)]
    for place in places:
        for text in strings_of(ALL[name](trace, **place).to_plotly_json()):
            assert not [danger for danger in DANGEROUS if danger in text], text
            assert len(text) < 2000


@pytest.mark.parametrize("name", ALL)
def test_a_run_without_active_steps_is_a_plain_message(name):
    trace = synthetic_trace(canvases=2, steps=[[3], [0]])
    figure = ALL[name](trace, canvas=1)
    assert "no active steps" in message_of(figure)
    assert not figure.data
    assert figure.layout.uirevision == ALL[name](trace, canvas=0).layout.uirevision


@pytest.mark.parametrize("name", ALL)
def test_everything_says_where_it_is_from(name):
    text = " ".join(strings_of(ALL[name](synthetic_trace()).to_plotly_json()))
    assert "measured" in text or "derived" in text


@pytest.mark.parametrize("name", ALL)
def test_values_that_are_not_numbers(name):
    trace = synthetic_trace(length=6, steps=5)
    values = {array: np.array(getattr(trace, array)) for array in ARRAYS}
    for array, spec in ARRAYS.items():
        if spec.dtype.startswith("float"):
            values[array][:] = np.nan
    figure = ALL[name](Trace(**values, facts=trace.facts, token_texts=trace.token_texts))
    assert isinstance(figure, go.Figure)
    assert figure.to_json()


@pytest.mark.parametrize("name", ALL)
def test_a_trace_of_the_released_size_is_drawn(name):
    assert ALL[name](synthetic_trace(length=256, steps=48)).data


def test_figures_import_neither_models_nor_widgets():
    script = "import sys, dgemma_viz.figures; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "ipywidgets", "anywidget"} & set(done.stdout.split())
