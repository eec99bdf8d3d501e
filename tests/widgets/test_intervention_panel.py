"""The panel that changes something in the explored run: what is clicked is what runs, and mistakes are messages."""

from dataclasses import replace

import numpy as np
import pytest
from ipywidgets import Widget

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions import ForceAccept, Pin, Replace, intervene
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.views.contents import unframe
from dgemma_viz.widgets.intervention_form import ACTIONS
from dgemma_viz.widgets.run_panel import RunPanel

SLOWLY = {"entropy_bound": 0.01, "confidence_threshold": None, "max_denoising_steps": 6}
PROMPT = TASKS["sudoku"].example_prompts[0]


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def trace(bundled):
    return run(*bundled, PROMPT, "entropy_bound", SLOWLY)


@pytest.fixture(scope="module")
def explorer(bundled, trace):
    return dv.explore(trace, model=bundled[0], tokenizer=bundled[1])


@pytest.fixture
def panel(explorer, trace):
    explorer.show(trace)
    explorer.step, explorer.position = 2, 3
    explorer.interventions.opened.value = True
    return explorer.interventions


def press_run(panel):
    panel.job.start()
    panel.job.wait(60)
    return panel.job.status_line.value


def test_without_a_model_there_is_nothing_to_change(trace):
    assert dv.explore(trace).interventions is None


def test_a_model_without_its_tokenizer_is_refused(bundled, trace):
    with pytest.raises(SettingError, match="both model and tokenizer"):
        dv.explore(trace, model=bundled[0])


def test_the_token_that_is_looked_at_is_replaced_by_the_chosen_alternative(panel, bundled, trace):
    panel.form.action.value = "replace"
    runner_up = int(trace.top_k_ids[2, 0, 3, 1])
    panel.form.token.value = panel.form.token.options[1]
    status = press_run(panel)
    assert panel.chosen == [Replace({3: runner_up}, canvas=0, step=2, sample=0)]
    assert f"read &#x27;{trace.token_texts[runner_up]}&#x27; at position 3" in status
    by_code = intervene(*bundled, trace, [Replace({3: runner_up}, step=2, sample=0)]).trace
    assert np.array_equal(panel.changed.draft, by_code.draft)
    assert panel.comparison.pair.traces == (trace, panel.changed)
    assert panel.result.children == (panel.comparison,)


def test_a_written_token_need_not_be_among_the_alternatives(panel, bundled):
    panel.form.action.value = "pin"
    panel.form.token.value = "9"
    press_run(panel)
    assert panel.chosen == [Pin(3, "9", canvas=0, step=2, sample=0)]
    assert panel.changed.canvas_run(0).emitted[3] == bundled[1].convert_tokens_to_ids("9")


def test_a_token_that_the_tokenizer_does_not_know_is_a_message(panel):
    panel.form.action.value = "replace"
    panel.form.token.value = "<script>no</script>"
    status = press_run(panel)
    assert 'role="alert"' in status
    assert "<script>" not in status
    assert panel.changed is None


@pytest.mark.parametrize("action", ["accept", "renoise", "noise", "forget", "change"])
def test_every_action_runs_and_shows_what_it_did(panel, action):
    panel.form.action.value = action
    status = press_run(panel)
    assert "Changed: canvas 0" in status
    (intervention,) = panel.chosen
    assert panel.changed.facts.task.interventions == (intervention.to_json(),)
    assert intervention.step == 2


def test_position_actions_want_a_click_first(panel, explorer):
    explorer.position = -1
    for action in ("replace", "pin", "accept", "renoise"):
        panel.form.action.value = action
        panel.add_button.click()
        assert "click a token first" in panel.job.status_line.value
    assert panel.chosen == []


def test_a_parameter_out_of_range_is_a_message_and_nothing_is_added(panel):
    panel.form.action.value = "change"
    panel.form.change.parameter.value = "entropy_bound"
    assert panel.form.change.number.value == SLOWLY["entropy_bound"]
    panel.form.change.number.value = -1
    panel.add_button.click()
    assert "out of range" in panel.job.status_line.value
    assert panel.chosen == []


def test_what_was_switched_off_is_offered_as_off(panel):
    panel.form.action.value = "change"
    panel.form.change.parameter.value = "confidence_threshold"
    assert panel.form.change.off.value
    assert panel.form.change.number.disabled
    panel.form.change.off.value, panel.form.change.number.value = False, 0.5
    panel.add_button.click()
    assert dict(panel.chosen[0].values) == {"confidence_threshold": 0.5}


def test_several_changes_make_one_run_and_each_can_be_taken_back(panel):
    for action in ("renoise", "forget"):
        panel.form.action.value = action
        panel.add_button.click()
    assert [len(row.children) for row in panel.listed.children] == [2, 2]
    panel.listed.children[0].children[0].click()
    press_run(panel)
    assert [data["kind"] for data in panel.changed.facts.task.interventions] == ["DropSelfConditioning"]


def test_another_trace_begins_anew_and_says_if_it_cannot_be_repeated(panel, explorer, trace):
    panel.form.action.value = "noise"
    press_run(panel)
    explorer.show(replace(trace, generator_state=None))
    assert (panel.chosen, panel.changed, panel.result.children) == ([], None, ())
    assert "no state of the random generator" in panel.inside.children[0].value
    explorer.show(trace)
    assert panel.form in panel.inside.children


def test_parameters_are_those_of_the_sampler_that_ran(explorer, panel, bundled):
    explorer.show(run(*bundled, PROMPT, "discrete_ddim", {"max_denoising_steps": 4}))
    panel.form.action.value = "change"
    names = [name for _, name in panel.form.change.parameter.options]
    assert names == ["temperature", "corrector_k", "corrector_selection"]
    panel.form.change.parameter.value = "corrector_selection"
    panel.form.change.choice.value = "random"
    panel.add_button.click()
    assert dict(panel.chosen[0].values) == {"corrector_selection": "random"}


def test_every_action_is_explained(panel):
    for action in ACTIONS:
        panel.form.action.value = action
        assert ACTIONS[action][1].split(",")[0] in panel.form.about.value


def test_a_run_with_a_planted_fault_cannot_be_repeated(bundled):
    from dgemma_viz.labs.sabotage import FAULTS

    fault = FAULTS["never-stops"]
    panel = RunPanel(*bundled, autorun=False, faults=(fault,))
    panel.faults.fault.value = fault
    panel.job.run_here()
    assert panel.trace.facts.task.fault == fault.title
    assert "planted fault" in panel.viewer.interventions.inside.children[0].value


def test_the_comparison_begins_where_the_runs_part_and_says_that_it_was_on_purpose(panel):
    panel.form.action.value = "pin"
    panel.form.token.value = "9"
    press_run(panel)
    comparison = panel.comparison
    assert (comparison.step, comparison.position) == (2, 3)
    head = comparison.page["heads"][0]
    assert "Run B was changed here on purpose." in head
    assert "Run B was changed on purpose: canvas 0, sample 0, from step 2 on: pin &#x27;9&#x27; to position 3." in head
    of_a, of_b = unframe(comparison.frame)[0]["headings"]
    assert "changed on purpose" in of_b
    assert "changed on purpose" not in of_a


def test_the_form_follows_while_it_is_open(panel, explorer):
    """Only then does the browser tell each step at once."""
    panel.opened.value = False
    assert not explorer.followed
    explorer.step, explorer.position = 4, 5
    panel.opened.value = True
    assert explorer.followed
    panel.form.action.value = "accept"
    panel.add_button.click()
    explorer.step = 1
    panel.add_button.click()
    assert panel.chosen == [ForceAccept((5,), step=step, sample=0) for step in (4, 1)]


def widgets_there():
    return set(Widget.get_manager_state()["state"])


def test_closed_the_panel_leaves_nothing_and_opened_again_it_is_there(bundled, trace):
    dv.explore(trace)  # Plotly's bundle stays
    before = widgets_there()
    viewer = dv.explore(trace, model=bundled[0], tokenizer=bundled[1])
    viewer._repr_mimebundle_()
    viewer.interventions.opened.value = True
    viewer.step = 2
    viewer.close()
    assert not widgets_there() - before
    viewer.reopen()
    assert viewer.step == 2
    assert viewer.interventions.opened.comm is not None
    assert viewer.own_box is None
    viewer._repr_mimebundle_()
    assert viewer.own_box.children == (viewer, viewer.looking, viewer.interventions)
    viewer.close()
