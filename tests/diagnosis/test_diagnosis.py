"""What ``diagnose`` gives as a whole: order, what was not applied, bad input."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.diagnosis import RULES, Diagnosis, Severity, diagnose
from dgemma_viz.errors import SettingError
from tests.synthetic import synthetic_trace


def test_worst_first_and_causes_before_effects(run_of):
    diagnosis = diagnose(run_of("long", "no-end"), "something else")
    order = {rule.name: index for index, rule in enumerate(RULES)}
    keys = [(-finding.severity, order[finding.rule], finding.sample) for finding in diagnosis]
    assert keys == sorted(keys)
    assert len(diagnosis) == len(diagnosis.findings) > 3
    assert diagnosis.findings[0].severity == Severity.ERROR


def test_rule_names_are_unique_and_complete():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all((rule.title, rule.says, rule.remedy, rule.source)), rule.name
        assert rule.remedy.endswith(".")
        assert rule.says.endswith(".")


def test_what_a_trace_lacks_is_named():
    trace = synthetic_trace()
    bare = replace(
        trace,
        facts=replace(trace.facts, settings={}, eos_token_ids=(), pad_token_id=None),
        temperature=np.full_like(trace.temperature, np.nan),
        entropy=np.full_like(trace.entropy, np.nan),
    )
    reasons = dict(diagnose(bare).not_applied)
    assert "stop rule" in reasons["step-budget-exhausted"]
    assert "end-of-sequence" in reasons["unclosed-turn"]
    assert "'temperature'" in reasons["temperature-schedule-shifted"]
    assert "'entropy'" in reasons["bound-too-loose"]
    assert "numbers-not-finite" not in {finding.rule for finding in diagnose(bare)}, "not recorded is not broken"


def test_the_reference_in_the_trace_is_used():
    trace = synthetic_trace()
    with_reference = replace(trace, facts=replace(trace.facts, task={"reference": "never that"}))
    assert "wrong-answer" in {finding.rule for finding in diagnose(with_reference)}


def test_bad_references():
    trace = synthetic_trace()
    with pytest.raises(SettingError, match="not a int"):
        diagnose(trace, 3)
    with pytest.raises(SettingError, match="ZeroDivisionError"):
        diagnose(trace, lambda *_: 1 / 0)


def test_a_diagnosis_without_findings_is_true(run_of):
    diagnosis = diagnose(run_of("addition"))
    assert isinstance(diagnosis, Diagnosis)
    assert diagnosis
    assert len(diagnosis) == 0
    assert list(diagnosis) == []
    assert repr(diagnosis).startswith("<Diagnosis: 0 findings in <Trace")
