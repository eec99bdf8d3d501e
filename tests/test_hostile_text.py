"""Hostile text goes through every view in a real browser, and to a terminal: seen, and never more than text."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

import dgemma_viz as dv
from dgemma_viz import figures
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.cli import main
from dgemma_viz.costs import CALIBRATED, FORMATS, HARDWARE, RELEASED, autoregressive, canvas_pass
from dgemma_viz.tiny.architecture import tiny_config
from tests.browser import open_page, serve_dashboards
from tests.figures.of_a_table import TABLES, healing_row, pareto_summary, parity_row
from tests.hostile_page import CELLS, HARM, HARMLESS, assert_harmless, point_at
from tests.hostile_text import EVERYTHING, HOSTILE, MARK, WORST, hostile_trace, through_a_file
from tests.synthetic_inside import synthetic_inside

FILE_NAME = f"<img {MARK} src=x onerror=window.{MARK}=1>\u202e\x1b[31m.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    hostile_trace().save(folder / "a.safetensors")
    hostile_trace(1, steps=5, status="complete").save(folder / "b.safetensors")
    hostile_trace().save(folder / FILE_NAME)
    (folder / "\x1b[31mbroken\u202e.safetensors").write_bytes(b"{" * 50)
    return folder


@pytest.fixture(scope="module")
def visit(chromium, serve):
    """All widgets and tables of a notebook on one page, errors shown as in a notebook."""
    with serve(CELLS) as url, open_page(chromium, url) as visit:
        visit.dialogs = []
        visit.page.on("dialog", lambda dialog: (visit.dialogs.append(dialog.message), dialog.dismiss()))
        visit.page.get_by_text("TraceError").first.wait_for()
        visit.page.locator(".js-plotly-plot .gtitle").nth(6).wait_for(state="attached")
        yield visit


@pytest.mark.browser
def test_every_widget_shows_it_as_text(visit):
    page = visit.page
    page.get_by_text(HOSTILE[0], exact=True).nth(2).wait_for(state="attached")
    assert_harmless(visit, visit.dialogs)


@pytest.mark.browser
def test_so_do_tooltips_inspectors_findings_and_hovers(visit):
    page = visit.page
    canvases = page.locator(".dgv-tokens:visible")
    canvases.nth(4).wait_for()
    for position in range(0, 48, 6):
        point_at(page, canvases.first.locator(".dgv-token").nth(position))
        assert page.evaluate(HARM)["elements"] == []
    for n in range(2):
        canvases.nth(n).locator(".dgv-token").nth(3).click()
    page.get_by_role("heading", name="Position 3 at step 0").first.wait_for()
    page.get_by_text("Position 3", exact=True).first.wait_for()
    for finding in page.locator(".dgf-finding").all()[:3]:
        finding.click()
    charts = page.locator(".js-plotly-plot:visible")
    for n in range(charts.count()):
        charts.nth(n).locator(".nsewdrag").first.hover(force=True)
    assert_harmless(visit, visit.dialogs)


@pytest.mark.browser
def test_so_does_an_uploaded_file_with_a_hostile_name(visit, files):
    page = visit.page
    upload = page.get_by_label("Trace file")
    for path in (files / "\x1b[31mbroken\u202e.safetensors", files / FILE_NAME):
        upload.set_input_files(path)
    page.get_by_text("⟨U+202E⟩␛[31m.safetensors: 4 steps").wait_for()
    page.get_by_text("⟨U+202E⟩⟨U+001B⟩[31m.safetensors").wait_for()
    assert_harmless(visit, visit.dialogs)


def figures_of(a, b):
    """Every figure, with hostile names wherever it takes names."""
    way, hostile = WORST, EVERYTHING
    runs = RunSet(tuple(replace(run, prompt=hostile) for run in RunSet.of([a, b])))
    speed = autoregressive(RELEASED, FORMATS["FP8"], HARDWARE["H100 SXM"], CALIBRATED["autoregressive"])
    counts = {"forwards": 3, "tokens_per_forward": 2.0, "refined_share": 0.5, "outside_share": 0.2}
    race = pd.DataFrame(counts | {"seconds": 0.1, "right": 0.5}, index=pd.Index([way, "other"], name="way"))
    one = {name: getattr(figures, name) for name in ("curves", "commit_order", "heatmap", "token_canvas")}
    drawn = {name: draw(a) for name, draw in one.items()}
    drawn |= {name: getattr(figures, name)(a) for name in ("accepted_by_bound", "entropy_budget")}
    drawn |= {
        f"{name}{n}": getattr(figures, name)(a, position=n)
        for name in ("alternatives", "position_history")
        for n in range(0, 48, 7)
    }
    drawn |= {name: getattr(figures, name)(a, b) for name in ("compared_curves", "difference_map")}
    drawn |= {name: getattr(figures, name)(table(runs)) for name, table in TABLES.items()}
    drawn["run_alignment"] = figures.run_alignment({way: a, "other": b})
    drawn["race_track"] = figures.race_track({way: a, "other": b})
    drawn["race_bars"] = figures.race_bars(race)
    drawn["measured_times"] = figures.measured_times(
        pd.DataFrame({"way": [way, way, "b", "b"], "length": [1, 2, 1, 2], "seconds": [1.0, 2, 2, 1]})
    )
    drawn["healing_curves"] = figures.healing_curves(
        pd.DataFrame([healing_row(hostile, 1, 1, 0.5), healing_row(hostile, 2, 1, 0.5)])
    )
    drawn["parity_drift"] = figures.parity_drift(pd.DataFrame([parity_row(0, 0), parity_row(0, 1)]))
    seen = replace(synthetic_inside(vocabulary=len(a.token_texts)), token_texts=a.token_texts)
    drawn |= {name: getattr(figures, name)(seen) for name in ("lens_map", "attention_map", "read_from")}
    drawn["pareto"] = figures.pareto(pareto_summary((2, 0.5), (4, 0.9), samplers=[hostile, "b"]))
    drawn["answer_times"] = figures.answer_times({way: speed})
    drawn["speeds_by_batch"] = figures.speeds_by_batch({way: [speed]})
    drawn["roofline"] = figures.roofline(
        replace(HARDWARE["H100 SXM"], name=hostile), FORMATS["FP8"], {way: canvas_pass(RELEASED, FORMATS["FP8"])}
    )
    config = tiny_config()
    config.text_config.layer_types = [hostile] * len(config.text_config.layer_types)
    drawn["architecture"] = figures.architecture(config)
    return drawn


@pytest.mark.browser
def test_every_figure_shows_it_as_text(chromium):
    drawn = figures_of(through_a_file(hostile_trace()), through_a_file(hostile_trace(1, steps=5)))
    assert set(figures.__all__) - {name.rstrip("0123456789") for name in drawn} == {"error_spread"}, "numbers only"
    charts = "".join(
        f"<div style='width:700px'>{figure.to_html(full_html=False, include_plotlyjs=False)}</div>"
        for figure in drawn.values()
    )
    page = chromium.new_page(viewport={"width": 720, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.set_content(f"<!doctype html><meta charset=utf-8><script>{get_plotlyjs()}</script>{charts}")
    page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot .gtitle').length === {len(drawn)}")
    for chart in page.locator(".js-plotly-plot").all():
        chart.locator(".nsewdrag").first.hover(force=True)
        assert page.evaluate(HARM) | {"tooWide": False} == HARMLESS, chart.locator(".gtitle").text_content()
    assert not errors
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("names", [["a"], ["a", "b"]], ids=["one", "compared"])
def test_an_exported_page_shows_it_as_text(chromium, files, tmp_path, names):
    traces = [dv.load_trace(files / f"{name}.safetensors") for name in names]
    path = dv.export_html(traces[0] if len(traces) == 1 else traces, tmp_path / "page.html")
    with open_page(chromium, path.as_uri(), width=380) as visit:
        page = visit.page
        for position in range(0, 48, 9):
            page.locator(".dgv-token").nth(position).hover()
            page.locator(".dgv-token").nth(position).click()
        page.get_by_role("heading", name="osition 45 at step 0").first.wait_for()
        for chart in page.locator(".js-plotly-plot").all():
            chart.hover()
        assert_harmless(visit)


@pytest.mark.browser
def test_the_gallery_shows_titles_and_names_as_text(chromium, files, tmp_path):
    notebook = tmp_path / "own.ipynb"
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "x"}]
    described = dict.fromkeys(("title", "description", "needs"), EVERYTHING)
    notebook.write_text(json.dumps({"cells": cells, "metadata": described, "nbformat": 4, "nbformat_minor": 5}))
    (files / b"not\xff unicode.jsonl".decode("utf-8", "surrogateescape")).write_bytes(b"{}")
    with serve_dashboards(str(notebook), "--traces", str(files), "--no-forked-kernels") as (address, _):
        with open_page(chromium, address, wait_for="main") as visit:
            page = visit.page
            page.get_by_text("its name is not Unicode").wait_for()
            assert page.get_by_text(HOSTILE[0]).count() > 2
            assert_harmless(visit)
        with open_page(
            chromium, f"{address}traces/%1b%5b31m%e2%80%aegone%3cimg%20{MARK}%3e.jsonl", wait_for="main"
        ) as visit:
            visit.page.get_by_text("␛[31m⟨U+202E⟩gone").wait_for()
            assert visit.page.evaluate(HARM) == HARMLESS


@pytest.mark.parametrize(
    "arguments",
    [
        ["diagnose", "{a}"],
        ["diagnose", "{a}", "--reference", EVERYTHING.replace("\0", "")],
        ["diagnose", "{broken}"],
        ["diagnose", "\x1b[2J\udcff"],
        ["check", "{a}"],
        ["check", "{broken}"],
        ["export", "{a}", "-o", "{folder}/\x1b[31m\u202ex.html"],
        ["export", "{a}", "-o", "\x1b[31m.pdf"],
        ["export", "{broken}", "{a}", "-o", "{folder}/x.html"],
        ["record", "--prompt", f"add 1+{EVERYTHING}", "-o", "{folder}/x"],
        ["record", "--prompt", "add 1+2=", "--model", "\x1b[31m/\u202e", "-o", "{folder}/x"],
        ["record", "--task", "\x1b[31m", "-o", "{folder}/x"],
        ["diagnose", "a", "\x1b[31m"],
        ["\x1b[31m"],
        ["serve", "\x1b[31m\u202e"],
        ["serve", "--config", "\x1b[31m\u202e"],
        ["doctor"],
    ],
)
def test_nothing_steers_a_terminal(files, capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one of them writes a file
    names = {"a": files / "a.safetensors", "broken": files / "\x1b[31mbroken\u202e.safetensors", "folder": files}
    filled = [argument.format(**names) if argument.startswith("{") else argument for argument in arguments]
    try:
        main(filled)
    except SystemExit:
        assert capsys.readouterr().err.isascii
    said = "".join(capsys.readouterr())
    assert not [c for c in said if c != "\n" and not c.isprintable()]
    assert len(said) < 20_000
