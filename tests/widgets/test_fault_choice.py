"""A fault can be chosen, explained, planted for one run, and is gone after it."""

from html import escape

import dgemma_viz as dv
from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.widgets.fault_choice import NOTHING, FaultChoice
from dgemma_viz.widgets.run_panel import RunPanel


def test_nothing_is_chosen_at_first_and_stands_in_the_menu():
    choice = FaultChoice(tuple(FAULTS.values()))
    assert choice.fault.value == NOTHING
    assert choice.fault.index == 0
    assert FaultChoice(()).children == ()


def test_a_fault_is_explained_with_its_source():
    choice = FaultChoice(tuple(FAULTS.values()))
    for fault in FAULTS.values():
        choice.fault.value = fault
        assert escape(fault.source) in choice.about.value
        assert len(choice.about.value) > len(fault.source) + 60
    choice.fault.value = NOTHING
    assert choice.about.value == ""


def test_a_broken_run_is_found_and_the_next_one_is_healthy():
    panel = RunPanel(*dv.load_tiny(), autorun=False, faults=tuple(FAULTS.values()))
    panel.slowly.value = False
    for fault, found in ((FAULTS["never-stops"], True), (NOTHING, False)):
        panel.faults.fault.value = fault
        panel.start()
        panel.wait(60)
        rules = {finding.rule for finding in panel.viewer.diagnosis}
        assert ("step-budget-exhausted" in rules) is found
    assert not rules
