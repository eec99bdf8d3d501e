"""The error clinic opens on a real run that has something to find."""

import pytest

import dgemma_viz as dv
from dgemma_viz.analysis import released
from dgemma_viz.diagnosis import Severity, diagnose
from dgemma_viz.widgets.error_clinic import MANY_RUNS, ONE_RUN, OPENING, ErrorClinic


@pytest.fixture(scope="module")
def clinic():
    clinic = ErrorClinic(*dv.load_tiny())
    yield clinic
    clinic.close()


def test_it_opens_on_an_unbroken_run_that_went_wrong(clinic):
    trace = clinic.panel(ONE_RUN).trace
    assert not trace.facts.task.fault
    assert trace.facts.seed == OPENING["seed"]
    assert trace.facts.settings["entropy_bound"] == released.ENTROPY_BOUND
    found = {finding.rule: finding.severity for finding in diagnose(trace)}
    assert found["wrong-answer"] == Severity.ERROR
    assert len([rule for rule, severity in found.items() if severity >= Severity.WARNING]) >= 3


def test_the_other_ways_in_are_built_when_they_are_entered(clinic):
    assert MANY_RUNS not in clinic.panels
