"""Many runs: made in the background, sorted into kinds, opened one by one; on the bundled model."""

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.failure_kinds import FailureKind, failure_kind
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.tiny.tasks import TASKS, different_examples
from dgemma_viz.widgets.many_runs_panel import ManyRunsPanel
from dgemma_viz.widgets.run_set_charts import CHARTS, RunSetCharts
from dgemma_viz.widgets.run_set_explorer import RunSetExplorer

PATIENCE = 120


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def runs(bundled):
    examples = different_examples(TASKS["grid"], np.random.default_rng(0), 12, held_out=True)
    return run_many(*bundled, [one.prompt for one in examples], [0], parameters={"max_denoising_steps": 4})


def test_the_most_frequent_failure_is_opened_first(runs):
    view = RunSetExplorer(runs)
    index = view.run.value
    assert failure_kind(runs[index]).value == view.kind.value
    assert view.kind.value not in {"right", "not judged"}
    assert view.viewer.trace is runs[index].trace
    assert view.viewer.diagnosis.findings, "a wrong answer is a finding"


def test_every_kind_and_run_can_be_opened(runs):
    view = RunSetExplorer(runs)
    seen = set()
    for _, kind in view.kind.options:
        view.kind.value = kind
        for label, index in view.run.options:
            view.run.value = index
            assert view.viewer.trace is runs[index].trace
            assert failure_kind(runs[index]) is FailureKind(kind)
            assert label.startswith(f"{index} · seed 0")
            seen.add(index)
    assert seen == set(range(len(runs)))


def test_a_click_on_a_bar_chooses_its_kind(runs):
    view = RunSetExplorer(runs)
    view.bars.click(3, "right")
    assert view.kind.value == "right"
    view.bars.click(3, "no such kind")
    assert view.kind.value == "right"


def test_other_runs_replace_them_in_the_same_views(runs):
    view = RunSetExplorer(runs)
    viewer = view.viewer
    right = [index for index, run in enumerate(runs) if run.right]
    view.show(runs[right[0] : right[0] + 1])
    assert view.viewer is viewer
    assert view.kind.options == (("right: 1 of 1", "right"),)
    assert viewer.trace is runs[right[0]].trace


def test_the_panel_runs_counts_and_shows(bundled):
    panel = ManyRunsPanel(*bundled, task="sort")
    panel.prompts.value, panel.seeds.value = 3, 2
    panel.start()
    panel.wait(PATIENCE)
    assert len(panel.runs) == 6
    assert {run.seed for run in panel.runs} == {0, 1}
    assert "of 6 answers right, by the rules of the task" in panel.job.status_line.value
    assert not panel.job.run_button.disabled


def test_charts_over_the_runs_are_drawn_when_they_are_opened(bundled):
    panel = ManyRunsPanel(*bundled, task="story")
    panel.prompts.value = 4
    for _ in range(2):
        panel.start()
        panel.wait(PATIENCE)
        panel.charts.selected_index = 0
        charts = panel.charts.children[0].children[0].children
        assert len(charts) == len(CHARTS)
    panel.charts.selected_index = None
    panel.prompts.value = 1
    panel.start()
    panel.wait(PATIENCE)
    assert panel.charts.children[0].children == ()


def test_only_known_charts(runs):
    with pytest.raises(SettingError, match="choose from"):
        RunSetCharts(runs, ["pie"])


def test_stop_keeps_the_runs_so_far(bundled):
    panel = ManyRunsPanel(*bundled, task="sort")
    panel.prompts.value = 50
    panel.start()
    while panel.progress.value < 2:
        panel.wait(0.01)
    panel.job.stop_button.click()
    panel.wait(PATIENCE)
    assert 2 <= len(panel.runs) < 50


def test_a_mistake_is_a_message_and_the_panel_stays_usable(bundled):
    panel = ManyRunsPanel(*bundled, task="sort")
    panel.prompts.value, panel.steps.value = 1, 0
    panel.start()
    panel.wait(PATIENCE)
    assert "max_denoising_steps of 0 is out of range" in panel.job.status_line.value
    panel.steps.value = 4
    panel.start()
    panel.wait(PATIENCE)
    assert len(panel.runs) == 1
