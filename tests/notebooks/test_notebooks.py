"""Every published notebook runs from top to bottom, and is committed without outputs."""

import re
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

import dgemma_viz as dv
from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.serving.forked_kernels import AVAILABLE, ForkingProvisioner
from dgemma_viz.tiny.tasks import TASKS

SOLVE = """
import gc
from dgemma_viz.widgets.exercises import Exercise
from dgemma_viz.widgets.prediction import Prediction

for exercise in [found for found in gc.get_objects() if issubclass(type(found), Exercise)]:
    exercise.given.value = str(exercise.right_answer())
    exercise.check.click()
    print("solved" if exercise.solved else f"unsolved: {exercise.said.value}")

for question in [found for found in gc.get_objects() if issubclass(type(found), Prediction)]:
    question.skip.click()
    print("shown" if question.shown else f"not shown: {question.said.value}")
"""
"""Gives each exercise of a page the answer that the page computes; has each question show what follows it."""


class ForkedKernel(AsyncKernelManager):
    """A kernel as the server of dashboards makes them, which has torch loaded: importing it anew takes seconds."""

    async def start_kernel(self, **options):
        if AVAILABLE:
            self.provisioner = ForkingProvisioner(kernel_id=uuid4().hex, kernel_spec=self.kernel_spec, parent=self)
        await super().start_kernel(**options)


NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(SOLVE))
    place = {"metadata": {"path": tmp_path}}
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=place, kernel_manager_class=ForkedKernel
    ).execute()
    *code, solving = [cell for cell in notebook.cells if cell.cell_type == "code"]
    in_course = path.stem[:2].isdigit()
    solved = "".join(output["text"] for output in solving.outputs if output["name"] == "stdout").splitlines()
    assert set(solved) <= {"solved", "shown"}
    assert not in_course or solved.count("solved") > 2
    assert all(cell.execution_count for cell in code)
    shown = [output for cell in code for output in cell.outputs if "data" in output]
    assert any("application/vnd.jupyter.widget-view+json" in output["data"] for output in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_it_takes_of_the_package_is_public(path):
    """A kernel that has modules loaded would also give those that the notebook does not import."""
    code = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    taken = set(re.findall(r"\bdv\.(\w+)", code))
    assert taken <= set(dv.__all__)
    assert "import dgemma_viz." not in code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.title
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_versions_that_do_not_go_together_are_told_before_anything_runs(path, installed):
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    installed(transformers="5.24.0", diffusers="0.42.1")
    uses = [name for name in SAMPLERS if f'"{name}"' in "".join(code) and not SAMPLERS[name].installed]
    if uses:
        with pytest.raises(MissingDependencyError, match=r"pip install 'transformers<5\.24'"):
            exec(code[0].replace("dv.load_tiny", "pytest.fail"), {"pytest": pytest})  # noqa: S102 - our own notebook
    assert bool(uses) == (path.stem[:2] in ("04", "10"))


def test_there_are_notebooks():
    assert NOTEBOOKS[0].stem == "01_watch_a_canvas_denoise"


def test_the_notebooks_of_the_course_lead_to_one_another():
    course = [path for path in NOTEBOOKS if path.stem[:2].isdigit()]
    for path, following in pairwise(course):
        prose = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        title = nbformat.read(following, as_version=4).metadata.title
        assert f"[{title}]({following.name})" in prose[-1]


def test_the_encoder_reads_the_prompt_and_each_canvas_that_another_one_follows():
    """What page 11 asks, and answers with a run."""
    model, tokenizer = dv.load_tiny()
    reads = []
    hook = model.model.encoder.register_forward_pre_hook(
        lambda _module, _args, given: reads.append(given["input_ids"][0].tolist()), with_kwargs=True
    )
    try:
        trace = run(model, tokenizer, TASKS["long"].example_prompts[1], seed=0)
    finally:
        hook.remove()
    assert trace.n_canvases > 1
    assert reads == [trace.prompt[0].tolist(), *trace.emitted[:-1, 0].tolist()]


def test_the_fill_behind_a_short_answer_dilutes_the_mean_that_stops_the_run():
    """What page 11 says of its short run, at every step."""
    canvas = run(*dv.load_tiny(), "brackets 16 2:", seed=0).canvas_run()
    inside = answer_positions(canvas)
    assert inside.sum() < canvas.canvas_length / 2
    assert (canvas.array("entropy")[:, inside].mean(axis=1) > 2 * canvas.array("mean_entropy")).all()
