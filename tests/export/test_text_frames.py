"""Frames of text as it reads: lines, scripts and directions, noise and marks, in fonts that this machine may lack."""

import numpy as np
import pytest
from PIL import Image

from dgemma_viz.cli import main
from dgemma_viz.errors import SettingError
from dgemma_viz.export.animation import export_gif
from dgemma_viz.export.frame_lines import lines_of, pieces_of
from dgemma_viz.export.frame_text import TextDrawing
from dgemma_viz.export.frames import frames, pillow
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.figures.theme import LIGHT
from tests.handmade import handmade_trace, masked_trace
from tests.real_text import real_trace
from tests.synthetic import NASTY_TEXTS, synthetic_trace


class EqualWidths:
    """Fonts in which every character is ten pixels wide."""

    def of(self, text):
        return -1 if ord(text[0]) > 0x1F000 else 0

    def width(self, text, _font, **_):
        return 10 * len(text)


FONTS = EqualWidths()


def laid_out(texts, width=200):
    """Each line as it is seen from the left: what is drawn together, and where it begins."""
    pieces = [piece for position, text in enumerate(texts) for piece in pieces_of(text, position, FONTS)]
    return [[(placed.text, placed.x) for placed in line] for line in lines_of(pieces, width, FONTS)]


def drawing_of(trace, canvas=0):
    run = trace.canvas_run(canvas)
    return TextDrawing(run, quantity_of(trace, "confidence"), LIGHT, *pillow())


def test_lines_end_where_the_text_does_and_break_at_spaces():
    assert laid_out(["def", " f():", "\n", "    ", "return", "\n\n", "x"]) == [
        [("def", 0), (" ", 30), ("f", 40), ("():", 50)],
        [("    ", 0), ("return", 40)],
        [],
        [("x", 0)],
    ]
    assert [[text for text, _ in line] for line in laid_out(["one two", " three four"], 100)] == [
        ["one", " ", "two", " "],
        ["three", " ", "four"],
    ]
    assert [len(line) for line in laid_out(["abcdefghijklmnop"], 100)] == [10, 6], "wider than a line"
    assert [len(line) for line in laid_out(["日本語日本語日本語日本語"], 100)] == [10, 2], "no spaces to break at"


def test_right_to_left_text_begins_at_the_right_and_keeps_numbers_and_latin():
    (line,) = laid_out(["القي", "مة", " 42", " في", " abc"])
    assert [text for text, _ in line] == ["abc", " ", "في", " ", "42", " ", "القيمة"]
    assert line[-1][1] + 60 == 200
    (line,) = laid_out(["say ", "سلام", " عالم", "!"])
    assert [text for text, _ in line] == ["say", " ", "عالم", " ", "سلام", "!"]


def test_a_word_of_two_tokens_is_drawn_as_one_and_stands_on_the_ground_of_both():
    pieces = [piece for position, text in enumerate(["القي", "مة"]) for piece in pieces_of(text, position, FONTS)]
    ((word,),) = lines_of(pieces, 200, FONTS)
    assert word.text == "القيمة"
    assert word.rtl
    assert word.parts == ((0, 160, 200), (1, 140, 160))


def test_every_canvas_of_a_real_text_is_drawn_in_frames_of_one_size():
    trace = real_trace(steps=3)
    for canvas in range(trace.n_canvases):
        drawing = drawing_of(trace, canvas)
        images = [drawing.frame(step) for step in range(3)]
        assert len({image.size for image in images}) == 1
        assert all(side % 2 == 0 for side in images[0].size)
        if canvas == 1:
            arabic = next(line for line in drawing.lines[-1] if any(placed.rtl for placed in line))
            assert max(placed.x for placed in arabic) > 800
            shown = [placed.text for line in drawing.lines[-1] for placed in line]
            assert {"日", "🇯🇵", "👋🏽"} <= set(shown), "characters of several tokens are whole"
    assert "".join(placed.text for placed in drawing.lines[-1][-1]) == "<turn|><eos> × 235"


def test_a_character_in_no_font_is_told_in_the_head():
    drawing = drawing_of(synthetic_trace(texts=["<pad>", "<eos>", "a", "\ua9c1"]))
    assert drawing.remark() == " · 1 character in no font here (▯)"
    assert not drawing_of(handmade_trace(["a b"])).remark()


@pytest.mark.parametrize("trace", [synthetic_trace(texts=NASTY_TEXTS), masked_trace([". .", "a b"], ["a b"])])
def test_any_text_can_be_drawn(trace):
    run = trace.canvas_run()
    for image in frames(run, quantity_of(trace, "confidence"), LIGHT, "reading"):
        assert len(image.getcolors(1 << 20)) > 2


def test_a_gif_of_an_answer_with_lines_is_laid_out_as_text_and_keeps_its_grounds(tmp_path):
    trace = real_trace(steps=3)
    trace.save(tmp_path / "run.safetensors")
    path = tmp_path / "run.gif"
    options = ["--canvas", "1", "-o", str(path)]  # it has line ends
    assert main(["export", str(tmp_path / "run.safetensors"), *options]) == 0
    run = trace.canvas_run(1)
    *_, last = frames(run, quantity_of(trace, "confidence"), LIGHT, "reading")
    with Image.open(path) as image:
        image.seek(2)
        apart = np.abs(np.asarray(image.convert("RGB")).astype(int) - np.asarray(last).astype(int))
        assert image.n_frames == 3
    assert apart.mean() < 3
    with pytest.raises(SettingError, match="there is no layout 'prose'; choose from auto, grid, reading"):
        export_gif(trace, path, layout="prose")
