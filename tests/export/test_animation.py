"""The canvas as GIF, MP4 and WebM: one frame a step, the canvas' colours, marks and words, and clear errors."""

import base64
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dgemma_viz.cli import main
from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.animation import export_gif, export_video
from dgemma_viz.export.frame_grid import GridDrawing
from dgemma_viz.export.frame_marks import draw_mark
from dgemma_viz.export.frames import frames, pillow
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.marks import (
    ACCEPTED,
    CHANGED,
    CORRECTED,
    EDITED,
    KEPT,
    OUTSIDE,
    RE_NOISED,
    TAKEN_BACK,
    UNDECIDED,
    UNRECORDED,
)
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.figures.theme import DARK, LIGHT
from dgemma_viz.trace.decision import Decision
from dgemma_viz.views.modules import STATIC
from tests.browser import open_page
from tests.synthetic import NASTY_TEXTS, synthetic_trace

TRACE = synthetic_trace(length=5, steps=[[7]])
MARKS = (ACCEPTED, RE_NOISED, KEPT, EDITED, CORRECTED, CHANGED, TAKEN_BACK, OUTSIDE)


def rgb(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def test_one_frame_a_step_and_the_last_stays(tmp_path):
    with Image.open(export_gif(TRACE, tmp_path / "run.gif", steps_per_second=10)) as image:
        assert image.n_frames == 7
        durations = []
        for step in range(7):
            image.seek(step)
            durations.append(image.info["duration"])
            seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
            for value in TRACE.canvas_run(0, 0).array("confidence")[step]:
                wanted = rgb(colour_at(LIGHT.scale("blue"), float(value)))
                assert min(max(abs(a - b) for a, b in zip(wanted, one, strict=True)) for one in seen) <= 6
        assert durations == [100] * 6 + [500]


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_marks_differ_in_form_not_in_colour_alone(look):
    forms = set()
    for mark in MARKS:
        image = Image.new("RGB", (40, 30), look.paper)
        draw_mark(ImageDraw.Draw(image), mark, (4, 4, 36, 26), look)
        forms.add((np.asarray(image) != rgb(look.paper)).any(axis=-1).tobytes())
    assert len(forms) == len(MARKS)


def every_decision():
    """Two steps of seven positions: each decision, one outside of the output, one taken back."""
    trace = synthetic_trace(length=7, steps=[[2]])
    decision = np.array(trace.decision)
    decision[:, 0] = [*Decision, Decision.ACCEPTED, Decision.ACCEPTED]
    decision[1, 0, 6] = Decision.NOISE
    facts = replace(trace.facts, output_span=(1, 7))
    return replace(trace, decision=decision, accepted=decision != Decision.NOISE, facts=facts)


def test_a_step_without_a_decision_underlines_nothing():
    image = Image.new("RGB", (60, 30), LIGHT.paper)
    for mark in (UNRECORDED, UNDECIDED):
        draw_mark(ImageDraw.Draw(image), mark, (5, 5, 55, 25), LIGHT)
    assert len(image.getcolors()) == 1


def test_a_cell_says_what_became_of_its_position_and_the_legend_names_it_as_the_canvas_does():
    run = every_decision().canvas_run()
    drawing = GridDrawing(run, quantity_of(run.trace, "confidence"), LIGHT, *pillow())
    image = np.asarray(drawing.frame(1)).astype(int)
    paper = np.array(rgb(LIGHT.paper))
    lines = []
    for position in range(7):
        left = 16 + position * (drawing.width + 4)
        below = image[drawing.top + 29 : drawing.top + 34, left : left + drawing.width]
        lines.append((below != paper).any(axis=-1).tobytes())
    assert not np.frombuffer(lines[0], bool).any(), "outside of the output nothing is decided"
    assert len(set(lines[1:6])) == 4, "accepted, kept, edited and corrected; position 5 is accepted too"
    assert lines[6] not in lines[:6]
    keys = {mark.label: count for mark, count in drawing.legend_keys(1)}
    changed = int((run.array("draft")[1] != run.array("draft")[0])[1:].sum())
    assert keys == {
        "accepted": 2, "re-noised": 1, "kept": 1, "edited": 1, "corrected": 1,
        "draft changed": changed, "taken back": 1, "not in the output": 1,
    }  # fmt: skip
    canvas = (STATIC / "legend.js").read_text()
    assert all(f'"{words}"' in canvas for words in keys)


def test_frames_of_any_texts_have_one_even_size():
    trace = synthetic_trace(length=21, steps=3, texts=NASTY_TEXTS)
    for quantity in ("confidence", "accepted", "commit_step"):
        sizes = {image.size for image in frames(trace.canvas_run(), quantity_of(trace, quantity), DARK)}
        assert len(sizes) == 1
        assert not any(length % 2 for length in sizes.pop())


PLAYED = """async address => {
  const video = document.createElement("video"), canvas = document.createElement("canvas");
  [video.muted, video.src] = [true, address];
  document.body.append(video);
  const shown = new Promise((resolve) => video.requestVideoFrameCallback((_, { mediaTime, width, height }) => {
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").drawImage(video, 0, 0);
    resolve(mediaTime);
  }));
  await video.play();
  const at = await shown, { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return { at, duration: video.duration, size: [canvas.width, canvas.height], pixels: Array.from(data) };
}"""


@pytest.mark.browser
@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_chromium_plays_the_video_with_the_colours_of_the_frames(ending, tmp_path, chromium):
    pytest.importorskip("av", reason="videos need the extra 'video'")
    path = export_video(TRACE, tmp_path / f"run.{ending}", steps_per_second=5)
    address = f"data:video/{ending};base64,{base64.b64encode(path.read_bytes()).decode()}"
    with open_page(chromium, "about:blank", wait_for=None) as visit:
        played = visit.page.evaluate(PLAYED, address)
    images = [*frames(TRACE.canvas_run(), quantity_of(TRACE, "confidence"), LIGHT)]
    assert played["duration"] == pytest.approx((6 + 5) / 5, abs=0.02)
    assert played["size"] == list(images[0].size)
    drawn = np.asarray(images[min(6, round(played["at"] * 5))]).astype(int)
    shown = np.array(played["pixels"]).reshape(*drawn.shape[:2], 4)[..., :3]
    coloured = (drawn != rgb(LIGHT.paper)).any(axis=-1)
    assert np.median(np.abs(shown - drawn)[coloured].max(axis=-1)) <= 4


@pytest.mark.parametrize("ending", ["gif", "mp4", "webm"])
def test_the_command_writes_it_and_says_what_is_wrong(tmp_path, capsys, ending):
    if ending != "gif":
        pytest.importorskip("av", reason="videos need the extra 'video'")
    trace, out = tmp_path / "run.safetensors", tmp_path / f"run.{ending}"
    synthetic_trace(length=20, steps=4, texts=NASTY_TEXTS).save(trace)
    assert main(["export", str(trace), "-o", str(out), "--theme", "dark", "--quantity", "accepted"]) == 0
    begins = {"gif": b"GIF89a", "mp4": b"\0\0\0", "webm": b"\x1a\x45\xdf\xa3"}
    assert out.read_bytes().startswith(begins[ending])
    for wrong in (
        ["--canvas", "7"],
        ["--quantity", "beauty"],
        ["--steps-per-second", "0"],
        [str(trace)],
        ["--step", "1"],
    ):
        assert main(["export", str(trace), *wrong, "-o", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_run_without_steps_and_missing_packages_are_said(tmp_path, monkeypatch):
    ended = synthetic_trace(canvases=2, steps=[[3], [0]])
    with pytest.raises(SettingError, match="no denoising steps"):
        export_gif(ended, tmp_path / "x.gif", canvas=1)
    with pytest.raises(SettingError, match=r"ends in \.mp4, \.webm"):
        export_video(TRACE, tmp_path / "x.avi")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"dgemma-viz\[video\]"):
        export_video(TRACE, tmp_path / "x.mp4")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"dgemma-viz\[images\]"):
        export_gif(TRACE, tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())
