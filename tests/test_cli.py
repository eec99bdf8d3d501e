"""The command line on real input: every mistake is one clear line, and a recorded file opens again."""

import json
import os
import subprocess
import sys

import pytest

from dgemma_viz.cli import main
from dgemma_viz.serving.notebooks import notebooks_folder
from dgemma_viz.tiny.loading import KINDS
from dgemma_viz.trace import load_trace

WEIGHTS = KINDS["diffusion"].weights


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_record_a_task_of_the_bundled_model(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    status, out, _ = run(capsys, "record", "--task", "sudoku", "-o", str(path), "--seed", "3", "--steps", "12")
    assert status == 0
    trace = load_trace(path)
    assert trace.facts.status == "complete"
    assert trace.facts.settings["max_denoising_steps"] == 12
    assert trace.facts.seed == 3
    assert trace.output_text() in out
    assert trace.prompt_text().endswith(out.split("prompt: ")[1].splitlines()[0][-20:])


def test_record_twice_is_the_same_run(tmp_path, capsys):
    paths = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    for path in paths:
        run(capsys, "record", "--prompt", "add 12 + 30", "-o", str(path), "--seed", "5", "--entropy-bound", "2.0")
    first, second = map(load_trace, paths)
    assert (first.draft == second.draft).all()
    assert (first.noised == second.noised).all()
    assert set(first.entropy_bound.tolist()) == {2.0}


def test_a_model_of_the_users_own_takes_the_same_path(tmp_path, capsys):
    """The bundled weights, given as any folder would be."""
    path = tmp_path / "run.safetensors"
    status, out, err = run(capsys, "record", "--prompt", "add 12+30=", "--model", str(WEIGHTS), "-o", str(path))
    assert status == 0, err
    assert load_trace(path).output_text() in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "chess"], "there is no task 'chess'; choose from"),
        (["--prompt", ""], "prompt is empty"),
        (["--prompt", "add 12 + ☃"], "does not know '☃'"),
        (["--task", "sort", "--steps", "0"], "max_denoising_steps of 0 is out of range"),
        (["--task", "sort", "--steps", "-4"], "max_denoising_steps of -4 is out of range"),
        (["--task", "sort", "--seed", "-1"], "seed of -1 is out of range"),
        (["--task", "sort", "--entropy-bound", "0"], "entropy_bound of 0 is out of range"),
        (["--task", "sort", "--entropy-bound", "nan"], "entropy_bound must be a finite number"),
        (["--task", "sort", "--max-new-tokens", "0"], "max_new_tokens of 0 is out of range"),
        (["--task", "sort", "--top-k", "0"], "top_k of 0 is out of range"),
        (["--task", "sort", "--model", "somewhere"], "--task belongs to the bundled model"),
        (["--prompt", "x", "--model", "./no-such-folder"], "no DiffusionGemma could be loaded"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = tmp_path / "run.safetensors"
    status, _, err = run(capsys, "record", "-o", str(path), *arguments)
    assert status == 2
    assert message in err
    assert err.startswith("dgemma-viz: ")
    assert "Traceback" not in err
    assert not path.exists()


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    status, _, err = run(capsys, "record", "--task", "sort", "-o", str(tmp_path / "missing" / "run.safetensors"))
    assert status == 2
    assert "cannot write" in err


def test_check_a_recorded_run(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    run(capsys, "record", "--task", "sudoku", "-o", str(path))
    status, out, _ = run(capsys, "check", str(path))
    assert status == 0
    assert out.startswith("Conforms to the reference sampler in what could be checked: ")
    assert "candidates-drawn: 96 candidates cannot tell" in out
    assert "not checked:" in out
    status, out, _ = run(capsys, "check", str(path), "--reference-settings", "released", "entropy_bound=0.2")
    assert status == 1
    assert "✖ bound-as-asked  (first: canvas 0, step 0, sample 0)" in out


def test_check_a_log_of_another_runtime(tmp_path, capsys):
    path = tmp_path / "run.jsonl"
    lines = [
        {"format": "dgemma_viz.lines", "version": 1, "facts": {"eos_token_ids": [1], "pad_token_id": 0}},
        {"step": 0, "draft": [5, 1], "temperature": 0.8},
        {"emitted": [5, 1]},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    status, out, _ = run(capsys, "check", str(path))
    assert status == 0
    assert "temperature-schedule: needs the setting 't_min', 't_max', 'max_denoising_steps'" in out
    status, out, _ = run(capsys, "check", str(path), "--reference-settings", "released", "t_max=0.9")
    assert status == 1
    assert "the schedule gives 0.9" in out


def test_check_several_runs_together(tmp_path, capsys):
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in range(2)]
    for seed, path in enumerate(paths):
        run(capsys, "record", "--task", "sudoku", "-o", path, "--seed", str(seed))
    status, out, _ = run(capsys, "check", *paths)
    assert status == 0
    assert out.startswith("Conforms to the reference sampler in what could be checked: 2 traces, ")
    assert "candidates-drawn: 192 candidates cannot tell" in out
    status, out, _ = run(capsys, "check", *paths, "--reference-settings", "released", "entropy_bound=0.2")
    assert status == 1
    assert "✖ bound-as-asked  (first: 0.safetensors, canvas 0, step 0, sample 0)" in out
    status, out, _ = run(capsys, "check", paths[0], paths[0])
    assert f"{paths[0]} (2) those of {paths[0]} (1)" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.jsonl"], "there is no trace file"),
        ([__file__], "no format that is known"),
        ([__file__, "--reference-settings", "warm"], "no format that is known"),
    ],
)
def test_check_what_cannot_be_checked(capsys, arguments, message):
    status, _, err = run(capsys, "check", *arguments)
    assert status == 2
    assert err.startswith("dgemma-viz: ")
    assert message in err


def test_check_with_settings_that_make_no_sense(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    run(capsys, "record", "--task", "sort", "-o", str(path))
    status, _, err = run(capsys, "check", str(path), "--reference-settings", "t_min=warm")
    assert status == 2
    assert "'t_min' is 'warm'; give a number, or none" in err


def test_the_notebooks_are_copied_and_nobodys_changes_are_lost(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["notebooks", str(folder)]) == 0
    assert f"jupyter lab {folder}" in capsys.readouterr().out
    copies = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert copies == {path.name: path.read_bytes() for path in notebooks_folder().glob("*.ipynb")}
    assert main(["notebooks", str(folder)]) == 0
    (folder / "speed_lab.ipynb").write_text("mine")
    (folder / "sampler_lab.ipynb").unlink()
    assert main(["notebooks", str(folder)]) == 2
    assert "has its own speed_lab.ipynb" in capsys.readouterr().err
    assert (folder / "speed_lab.ipynb").read_text() == "mine"
    assert not (folder / "sampler_lab.ipynb").exists()


def test_notebooks_go_into_a_folder_only(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["notebooks", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_doctor_on_a_sound_installation(capsys):
    status, out, _ = run(capsys, "doctor")
    assert status == 0, out
    assert "everything is in place" in out
    for subject in ("torch", "transformers", "voila", "bundled model", "notebooks"):
        assert subject in out


def test_doctor_names_what_is_missing_and_what_to_do(capsys, installed):
    installed(voila=None, plotly="0.1", transformers="5.23.0")
    status, out, _ = run(capsys, "doctor")
    assert status == 1
    assert "MISSING  voila" in out
    assert "pip install 'voila>=" in out
    assert "PROBLEM  plotly" in out
    assert "2 things to mend" in out


@pytest.mark.parametrize(
    ("versions", "problem", "remedy"),
    [
        ({"transformers": "5.24.0", "diffusers": "0.42.1"}, "diffusers 0.42.1", "pip install 'transformers<5.24'"),
        ({"transformers": "5.22.1"}, "5.22.1, needs >=5.23,<6", "pip install 'transformers>=5.23,<6'"),
        ({"transformers": "6.0.0"}, "6.0.0, needs >=5.23,<6", "pip install 'transformers>=5.23,<6'"),
        ({"diffusers": "0.35.0"}, "0.35.0, needs >=0.42", "pip install 'diffusers>=0.42'"),
    ],
)
def test_doctor_names_versions_that_do_not_go_together(capsys, installed, versions, problem, remedy):
    installed(**versions)
    status, out, _ = run(capsys, "doctor")
    assert status == 1
    assert "1 thing to mend" in out
    assert problem in out
    assert remedy in out


def test_doctor_says_what_more_could_be_installed(capsys, installed):
    installed(diffusers=None)
    status, out, _ = run(capsys, "doctor")
    assert status == 0
    assert "everything is in place" in out
    assert "pip install 'dgemma-viz[diffusers]'" in out


def test_serve_refuses_bad_addresses_and_notebooks(capsys):
    assert run(capsys, "serve", "no-such-notebook")[2].startswith("dgemma-viz: there is no notebook 'no-such-notebook'")
    assert "port 70000 is not a port" in run(capsys, "serve", "--port", "70000")[2]
    assert "is not an address" in run(capsys, "serve", "--host", "not.an.address.invalid")[2]


def test_serve_says_when_its_port_is_taken(capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is taken" in run(capsys, "serve", "--port", str(port))[2]


def test_diagnose_a_recorded_run(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    assert run(capsys, "record", "--prompt", "sort 1493=", "-o", str(path))[0] == 0
    status, out, _ = run(capsys, "diagnose", str(path))
    assert status == 0
    assert "No findings" in out
    status, out, _ = run(capsys, "diagnose", str(path), "--reference", "1394")
    assert status == 1
    assert "wrong answer" in out.lower()
    status, _, err = run(capsys, "diagnose", str(tmp_path / "none.safetensors"))
    assert status == 2
    assert "there is no trace file" in err


@pytest.mark.skipif(os.name != "posix", reason="pipes close in another way")
def test_a_reader_that_has_gone_is_no_failure_of_ours():
    """As in ``dgemma-viz doctor | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "dgemma_viz.cli", "serve", "--print-config"]
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")
