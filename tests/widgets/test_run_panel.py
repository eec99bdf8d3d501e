"""The run panel on the bundled model: every mistake becomes a message, and the panel stays usable after it."""

from operator import attrgetter

import numpy as np
import pytest

from dgemma_viz.errors import RecordingError
from dgemma_viz.tiny.tasks import TASKS, is_held_out
from dgemma_viz.widgets.run_panel import RunPanel

PATIENCE = 60


@pytest.fixture(scope="module")
def bundled():
    import dgemma_viz as dv

    return dv.load_tiny()


@pytest.fixture
def panel(bundled):
    panel = RunPanel(*bundled, autorun=False)
    panel.slowly.value = False
    return panel


def run(panel):
    panel.job.run_button.click()
    panel.wait(PATIENCE)
    assert not panel.job.run_button.disabled
    assert panel.job.stop_button.disabled
    return panel.job.status_line.value


def test_autorun_shows_a_run_at_once(bundled):
    panel = RunPanel(*bundled)
    assert panel.trace.facts.status == "complete"
    assert panel.viewer.trace is panel.trace
    assert "by the rules of the task" in panel.job.status_line.value


def test_nothing_recorded_yet(panel):
    with pytest.raises(RecordingError, match="press Run"):
        _ = panel.trace


@pytest.mark.parametrize("task", list(TASKS))
def test_every_task_runs_and_is_judged(panel, task):
    panel.prompts.task.value = task
    status = run(panel)
    output = panel.trace.output_text()
    right = TASKS[task].check(panel.prompts.prompt.value, output)
    assert ("✓ right" in status) == right
    assert "tokens per forward" in status
    assert panel.trace.prompt_text().endswith(panel.prompts.prompt.value)
    assert panel.viewer.row == panel.live.row == TASKS[task].row


@pytest.mark.parametrize("prompt", ["sudoku 12345=", "story Tom has a red kite. Who has the hat?"])
def test_an_answer_that_no_program_can_check_is_not_called_wrong(panel, prompt):
    panel.prompts.prompt.value = prompt
    status = run(panel)
    assert panel.trace.facts.status == "complete"
    assert "no program can check this answer" in status
    assert "wrong" not in status


def test_settings_reach_the_sampler(panel):
    panel.seed.value, panel.steps.value, panel.bound.value = 9, 3, 5.0
    run(panel)
    facts = panel.trace.facts
    assert facts.seed == 9
    assert facts.settings["max_denoising_steps"] == 3
    assert set(np.round(panel.trace.entropy_bound, 4).tolist()) == {5.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts.prompt": ""}, "prompt is empty"),
        ({"prompts.prompt": "   "}, "prompt is empty"),
        ({"prompts.prompt": "sort ☃<b>"}, "☃"),
        ({"prompts.prompt": "1" * 3000}, "3,000 characters"),
        ({"steps": 0}, "max_denoising_steps of 0 is out of range"),
        ({"steps": -3}, "max_denoising_steps of -3 is out of range"),
        ({"seed": -1}, "seed of -1 is out of range"),
    ],
)
def test_a_mistake_is_a_message_and_the_next_run_works(panel, change, message):
    controls = {name: attrgetter(name)(panel) for name in change}
    before = {name: control.value for name, control in controls.items()}
    for name, value in change.items():
        controls[name].value = value
    status = run(panel)
    assert message in status
    assert 'role="alert"' in status
    assert "<b>" not in status
    for name, value in before.items():
        controls[name].value = value
    assert "by the rules of the task" in run(panel)


def test_stop_keeps_what_was_recorded_and_the_next_run_works(panel):
    panel.slowly.value = True
    panel.prompts.task.value = "story"
    panel.prompts.prompt.value = TASKS["gifts"].example_prompts[0]  # many steps, so there is time to press Stop
    panel.start()
    while not panel.live.tail:
        panel.wait(0.01)
    assert panel.live.live
    panel.job.stop_button.click()
    panel.wait(PATIENCE)
    assert panel.trace.facts.status == "interrupted"
    assert "stopped after" in panel.job.status_line.value
    panel.slowly.value = False
    assert "by the rules of the task" in run(panel)


def test_other_examples_were_not_trained_on(panel):
    seen = set()
    for _ in range(5):
        panel.prompts.another.click()
        seen.add(panel.prompts.prompt.value)
        assert is_held_out(TASKS[panel.prompts.task.value], panel.prompts.prompt.value)
    assert len(seen) == 5


def test_a_failure_of_the_model_itself_is_a_message(panel, bundled, monkeypatch):
    def broken(*_args, **_kwargs):
        raise MemoryError("no memory <left>")

    monkeypatch.setattr(type(bundled[0]), "generate", broken)
    assert "MemoryError: no memory &lt;left&gt;" in run(panel)
    monkeypatch.undo()
    assert "by the rules of the task" in run(panel)


def test_of_a_run_that_fails_half_way_the_steps_so_far_are_shown(panel, bundled):
    def failing(_module, _args, kwargs, calls=[]):  # noqa: B006 - counts its calls
        calls.append(kwargs)
        if len(calls) == 3:
            raise MemoryError("no memory left")

    panel.prompts.prompt.value = TASKS["gifts"].example_prompts[0]
    hook = bundled[0].model.decoder.register_forward_pre_hook(failing, with_kwargs=True)
    status = run(panel)
    hook.remove()
    assert "failed after 2 steps with MemoryError: no memory left" in status
    assert 'role="alert"' in status
    assert panel.trace.facts.status == "failed"
    assert panel.viewer.trace is panel.trace
    assert "by the rules of the task" in run(panel)
