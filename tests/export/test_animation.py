"""The animated GIF: one frame a step, the colours of the figures, and clear errors."""

import sys

import pytest
from PIL import Image

from dgemma_viz.cli import main
from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.animation import export_gif
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.theme import LIGHT
from tests.synthetic import NASTY_TEXTS, synthetic_trace

TRACE = synthetic_trace(length=5, steps=[[7]])


def test_one_frame_a_step_and_the_last_stays(tmp_path):
    with Image.open(export_gif(TRACE, tmp_path / "run.gif", steps_per_second=10)) as image:
        assert image.n_frames == 7
        durations = []
        for step in range(7):
            image.seek(step)
            durations.append(image.info["duration"])
            seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
            for value in TRACE.canvas_run(0, 0).array("confidence")[step]:
                ground = colour_at(LIGHT.scale("blue"), float(value))
                wanted = [int(ground[at : at + 2], 16) for at in (1, 3, 5)]
                assert min(max(abs(a - b) for a, b in zip(wanted, one, strict=True)) for one in seen) <= 6
        assert durations == [100] * 6 + [500]


def test_the_command_writes_it_and_says_what_is_wrong(tmp_path, capsys):
    trace, out = tmp_path / "run.safetensors", tmp_path / "run.gif"
    synthetic_trace(length=20, steps=4, texts=NASTY_TEXTS).save(trace)
    assert main(["export", str(trace), "-o", str(out), "--theme", "dark", "--quantity", "accepted"]) == 0
    assert out.read_bytes().startswith(b"GIF89a")
    for wrong in (["--canvas", "7"], ["--quantity", "beauty"], ["--steps-per-second", "0"], [str(trace)]):
        assert main(["export", str(trace), *wrong, "-o", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_run_without_steps_and_a_missing_pillow_are_said(tmp_path, monkeypatch):
    ended = synthetic_trace(canvases=2, steps=[[3], [0]])
    with pytest.raises(SettingError, match="no denoising steps"):
        export_gif(ended, tmp_path / "x.gif", canvas=1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"dgemma-viz\[images\]"):
        export_gif(TRACE, tmp_path / "x.gif")
