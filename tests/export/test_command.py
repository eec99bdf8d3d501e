"""``dgemma-viz export`` on trace files: one file written, every mistake one clear line."""

from dgemma_viz.cli import main
from dgemma_viz.export import animation, command, picture
from tests.synthetic import synthetic_trace


def test_one_trace_and_two(tmp_path, capsys):
    paths = []
    for seed in (0, 1):
        paths.append(str(tmp_path / f"{seed}.safetensors"))
        synthetic_trace(seed=seed).save(paths[-1])
    for traces in (paths[:1], paths):
        out = tmp_path / f"{len(traces)}.html"
        assert main(["export", *traces, "-o", str(out)]) == 0
        assert f"written to {out}" in capsys.readouterr().out
        assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_mistakes_are_one_line(tmp_path, capsys):
    trace = tmp_path / "run.safetensors"
    synthetic_trace().save(trace)
    for arguments, words in (
        ([str(tmp_path / "none.safetensors"), "-o", "x.html"], "none.safetensors"),
        ([str(trace), "-o", str(tmp_path / "run.docx")], "ends in"),
        ([str(trace), "-o", str(tmp_path / "no" / "x.html")], "does not exist"),
    ):
        assert main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_the_endings_are_those_that_are_written():
    """Listed again in the command, which must not import what draws them."""
    assert command.VIDEOS == animation.VIDEOS
    assert command.PICTURES == picture.PICTURES
