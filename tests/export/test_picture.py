"""Figures as pictures: drawn by the machine's own Chromium, and every mistake one clear line."""

import inspect
import sys

import pytest

from dgemma_viz import figures
from dgemma_viz.cli import main
from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.picture import export_picture, names_of_figures
from tests.browser import chromium_path
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace()


@pytest.mark.browser
def test_the_command_draws_a_figure_in_chromium(tmp_path, monkeypatch, capsys):
    pytest.importorskip("kaleido", reason="pictures need the extra 'images'")
    monkeypatch.setenv("BROWSER_PATH", chromium_path())
    trace, out = tmp_path / "run.safetensors", tmp_path / "map.svg"
    TRACE.save(trace)
    asked = ["--figure", "curves", "--step", "-1", "--theme", "dark", "--width", "640", "--height", "480"]
    assert main(["export", str(trace), "-o", str(out), *asked]) == 0
    assert f"written to {out}" in capsys.readouterr().out
    drawn = out.read_text(encoding="utf-8")
    assert 'width="640" height="480"' in drawn
    assert "How the canvas came to rest" in drawn
    assert "rgb(17, 17, 17)" in drawn


def test_every_figure_of_a_trace_can_be_named():
    for count, first in ((1, ["trace"]), (2, ["trace_a", "trace_b"])):
        names = names_of_figures(count)
        assert names
        for name in figures.__all__:
            assert (name in names) == (list(inspect.signature(getattr(figures, name)).parameters)[:count] == first)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figure", "beauty"], "choose from accepted_by_bound"),
        (["--figure", "curves", "--position", "3"], "takes no position"),
        (["--width", "3"], "50 to 20000 pixels"),
        (["--steps-per-second", "3"], "it is for .gif, .mp4, .webm"),
        (["--canvas", "7"], "canvas 7 is not in this trace"),
    ],
)
def test_mistakes_are_one_line(arguments, words, tmp_path, capsys):
    trace = tmp_path / "run.safetensors"
    TRACE.save(trace)
    assert main(["export", str(trace), "-o", str(tmp_path / "x.png"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(SettingError, match=r"ends in \.png, \.svg, \.pdf"):
        export_picture(TRACE, tmp_path / "x.jpg")
    with pytest.raises(SettingError, match="'heatmap' is not a figure of two traces"):
        export_picture((TRACE, TRACE), tmp_path / "x.png", "heatmap")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "kaleido", None)
        with pytest.raises(MissingDependencyError, match=r"dgemma-viz\[images\]"):
            export_picture(TRACE, tmp_path / "x.png")
    pytest.importorskip("kaleido", reason="pictures need the extra 'images'")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(MissingDependencyError, match="set BROWSER_PATH"):
        export_picture(TRACE, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
