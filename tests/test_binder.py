"""What Binder builds from fits the package: its Python and torch are in our range, and the script adds the rest."""

import os
import subprocess
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_python_and_torch_are_those_of_the_package():
    needed = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text("utf-8"))["dependencies"]
    versions = dict(entry.split("=", 1) for entry in needed if entry.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(versions["python"])
    ours = {Requirement(text).name: Requirement(text).specifier for text in PROJECT["dependencies"]}
    (torch,) = [Requirement(entry) for entry in needed if entry.startswith("pytorch-cpu")]
    assert torch.specifier == ours["torch"]


def test_the_script_can_run_and_installs_an_extra_that_there_is():
    script = ROOT / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    (line,) = [line for line in script.read_text("utf-8").splitlines() if "pip install" in line]
    (package,) = [part.strip("'") for part in line.split() if part.startswith("'.")]
    assert package.removeprefix(".").strip("[]") in PROJECT["optional-dependencies"]
