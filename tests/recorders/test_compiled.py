"""Static cache and compiled functions: neutral as well, and the sampler that really runs is found.

Upstream (transformers 5.23.0): ``_compile_functions`` compiles the first call's ``sampler.accept_canvas`` and keeps it
on the model, so a later call with another entropy bound runs the first one's. These tests reproduce that without the
recorder, and then hold the recorder to it.
"""

import warnings

import numpy as np
import pytest
import torch

from dgemma_viz.conformance import check_conformance
from dgemma_viz.recorders import StaleSamplerWarning
from dgemma_viz.recorders.running_sampler import bound_of, staleness
from dgemma_viz.trace.notice import NoticeCode
from dgemma_viz.upstream.torch_compile import owner_of
from tests.recorders.conftest import CANVAS, bound, prompts, small_model
from tests.recorders.replay import EXACT, assert_consistent
from tests.recorders.same_run import assert_same, plain, recorded

STATIC = {"cache_implementation": "static", "max_new_tokens": 2 * CANVAS, "max_denoising_steps": 5}
KEPT = ("_compiled_accept_canvas", "_compiled_renoise_canvas")


@pytest.fixture(scope="module")
def pair():
    """Two equal models: the first is always recorded, the second never; both have compiled with a bound of 1 nat."""
    with_it, without = small_model(), small_model()
    *first, recording = recorded(with_it, lambda: with_it.generate(**prompts(2), **STATIC))
    assert_same(first, plain(lambda: without.generate(**prompts(2), **STATIC)))
    assert_consistent(recording.trace)
    assert not recording.trace.facts.notices
    return with_it, without


def both(pair, **arguments):
    with_it, without = pair
    *first, recording = recorded(with_it, lambda: with_it.generate(**prompts(2), **STATIC, **arguments))
    assert_same(first, plain(lambda: without.generate(**prompts(2), **STATIC, **arguments)))
    return recording.trace


@pytest.mark.compiled
def test_compiled_runs_are_the_same(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleSamplerWarning)
        trace = both(pair)
    assert_consistent(trace)
    assert (trace.entropy_bound == 1.0).all()
    assert trace.facts.settings["cache_implementation"] == "static"
    assert vars(pair[0]).keys() == vars(pair[1]).keys()


@pytest.mark.compiled
def test_upstream_runs_the_first_call_s_sampler(pair):
    _, without = pair
    samplers = []
    prepare = without._prepare_sampler
    without._prepare_sampler = lambda config: samplers.append(prepare(config)) or samplers[-1]
    try:
        output = plain(lambda: without.generate(**prompts(2), **STATIC, **bound(1e-6)))
    finally:
        del without._prepare_sampler
    assert samplers[0].entropy_bound == 1e-6
    assert samplers[0].accepted_token_mask is None, "upstream's own sampler has a mask now: the workaround can go"
    assert_same(output, plain(lambda: without.generate(**prompts(2), **STATIC)))


@pytest.mark.compiled
def test_a_stale_sampler_is_recorded_as_it_ran_and_reported(pair):
    with pytest.warns(StaleSamplerWarning, match="entropy_bound 1.0 instead of 1e-06.*disable_compile=True"):
        trace = both(pair, **bound(1e-6))
    assert (trace.entropy_bound == 1.0).all()
    assert trace.facts.settings["entropy_bound"] == 1e-6
    (notice,) = trace.facts.notices
    assert notice.code == NoticeCode.STALE_SAMPLER
    assert "_compiled_accept_canvas" in notice.text
    assert (trace.accepted.sum(axis=-1) > 1).any()
    report = check_conformance(trace, tolerances=EXACT)
    assert {violation.rule for violation in report.violations} == {"bound-as-asked"}
    assert report.violations[0].where == "canvas 0, step 0, sample 0"
    assert_consistent(trace, settings={"entropy_bound": 1.0})


@pytest.mark.compiled
def test_the_remedies_work(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleSamplerWarning)
        eager = both(pair, disable_compile=True, **bound(0.25))
        saved = [{name: vars(model).pop(name) for name in KEPT} for model in pair]
        try:
            fresh = both(pair, **bound(0.25))
        finally:
            for model, functions in zip(pair, saved, strict=True):
                vars(model).update(functions)
    for trace in (eager, fresh):
        assert (trace.entropy_bound == 0.25).all()
        assert_consistent(trace)


@pytest.mark.compiled
def test_half_a_remedy_is_reported(pair):
    """Only one of the two functions deleted: accepting and re-noising go by different masks."""
    with_it, _ = pair
    saved = vars(with_it).pop("_compiled_accept_canvas")
    try:
        with pytest.warns(StaleSamplerWarning, match="accepted mask is another"):
            *_, recording = recorded(with_it, lambda: with_it.generate(**prompts(2), **STATIC))
    finally:
        with_it._compiled_accept_canvas = saved
    codes = [notice.code for notice in recording.trace.facts.notices]
    assert codes == [NoticeCode.MIXED_SAMPLERS, NoticeCode.ACCEPTED_MISSING]


class Sampler:
    def __init__(self, entropy_bound, vocab_size=64):
        self.entropy_bound = entropy_bound
        self.vocab_size = vocab_size
        self.canvas_length = CANVAS

    def accept_canvas(self):
        return self


def test_the_owner_is_found_through_torch_compile():
    sampler = Sampler(1.0)
    assert owner_of(sampler.accept_canvas, None) is sampler
    assert owner_of(torch.compile(sampler.accept_canvas), None) is sampler
    assert owner_of(lambda: None, "other") == "other"


def test_staleness_names_every_difference():
    asked = Sampler(1.0)
    assert staleness(asked, asked, asked) is None
    equal = Sampler(1.0)
    assert staleness(asked, equal, equal) is None
    other = Sampler(2.0, vocab_size=32)
    assert "entropy_bound 2.0 instead of 1.0" in str(staleness(asked, other, other))
    assert "vocab_size 32 instead of 64" in str(staleness(asked, other, other))
    assert "another" in str(staleness(asked, asked, equal))


def test_the_bound_of_a_sampler_without_one():
    assert np.isnan(bound_of(object()))
    assert bound_of(Sampler(3)) == 3.0
