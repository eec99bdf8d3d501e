"""A session over its limits says what the limit is and how to go on, and what was done until then is shown."""

import pytest

from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.widgets.many_runs_panel import ManyRunsPanel
from dgemma_viz.widgets.run_panel import RunPanel
from dgemma_viz.widgets.sampler_lab import SamplerLab

LONG_RUN = TASKS["gifts"].example_prompts[0]


def status_of(panel):
    return panel.job.status_line.value


def run(panel):
    panel.start()
    panel.wait(60)
    return status_of(panel)


def test_too_many_steps_are_refused(monkeypatch):
    monkeypatch.setenv("DGEMMA_VIZ_MOST_STEPS", "48")
    panel = RunPanel()
    shown = panel.trace
    panel.steps.value = 49
    assert "49 denoising steps a canvas are more than this server allows: choose at most 48" in run(panel)
    assert panel.trace is shown
    panel.steps.value = 48
    assert "by the rules of the task" in run(panel)
    lab = SamplerLab(autorun=False, parameters={"max_denoising_steps": 60})
    assert "choose at most 48" in run(lab)


def test_too_many_runs_are_refused(monkeypatch):
    monkeypatch.setenv("DGEMMA_VIZ_MOST_RUNS", "5")
    panel = ManyRunsPanel(task="sort")
    panel.prompts.value, panel.seeds.value = 3, 2
    assert "6 runs at a time are more than this server allows: choose at most 5" in run(panel)
    panel.seeds.value = 1
    assert "3 of 3 answers right" in run(panel)


def test_a_run_that_takes_too_long_is_stopped_and_shown(monkeypatch):
    panel = RunPanel(autorun=False)
    panel.prompts.prompt.value = LONG_RUN
    monkeypatch.setenv("DGEMMA_VIZ_MOST_RUN_SECONDS", "0.000001")
    assert "this server allows 1e-06 seconds a run" in run(panel)
    assert panel.trace.facts.status == "interrupted"
    assert panel.trace.n_steps == 1
    monkeypatch.delenv("DGEMMA_VIZ_MOST_RUN_SECONDS")
    assert "by the rules of the task" in run(panel)
    assert panel.trace.facts.status == "complete"


@pytest.mark.parametrize("value", ["", "many"])
def test_a_limit_that_is_no_number_is_none(monkeypatch, value):
    monkeypatch.setenv("DGEMMA_VIZ_MOST_STEPS", value)
    assert "by the rules of the task" in status_of(RunPanel())
