"""Which rules apply is what a trace says of its sampler, not what happens to stand in its log."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.sampler_kind import SamplerKind, inferred_from, sampler_kind
from dgemma_viz.conformance import check_conformance
from dgemma_viz.errors import RecordingError, TraceError
from dgemma_viz.labs.run import run
from dgemma_viz.trace import load_trace, save_json_lines
from dgemma_viz.trace.model import RunFacts
from tests.conformance.conftest import with_settings

ANY_SAMPLER = {
    "numbers-finite",
    "canvas-not-padding",
    "draft-is-top-1",
    "confidence-is-top-1",
    "entropy-fits-probabilities",
    "candidate-probability",
    "accepted-kept",
    "rows-agree",
}
OWN = {
    "entropy-bound": "accepted-set",
    "mask-token": "undecided-masked",
    "block-refinement": "commits-stay",
    "discrete-ddim": "stop-rule",
}


def claiming(trace, kind, **facts):
    return replace(trace, facts=replace(trace.facts, sampler_kind=kind, **facts))


def applied(report):
    return {one.rule for one in report.outcomes} - set(report.not_applicable)


@pytest.mark.parametrize("bound", [None, 0.1])
def test_another_sampler_keeps_the_rules_that_hold_for_any(healthy, bound):
    """Whether or not an entropy bound stands among its settings."""
    other = with_settings(claiming(healthy, "other", sampler="their own"), entropy_bound=bound)
    keeps_all = replace(other, accepted=np.ones_like(other.accepted), decision=None)
    report = check_conformance(replace(keeps_all, noised=np.roll(other.candidate, 1, axis=0)))
    assert report.ok, str(report)
    assert applied(report) == ANY_SAMPLER
    text = " ".join(str(report).split())
    assert "the rules that hold for any sampler" in check_conformance(claiming(healthy, "other"))._repr_html_()
    assert f"not applicable: {', '.join(report.not_applicable)}" in text
    assert "inferred" not in text


@pytest.mark.parametrize("kind", [*OWN, "autoregressive"])
def test_a_claim_brings_its_own_rules(healthy, kind):
    trace = claiming(healthy, kind, sampler="their own", mask_token_id=5 if kind == "mask-token" else None)
    rules = applied(check_conformance(trace))
    assert rules >= ANY_SAMPLER - ({"rows-agree"} if kind == "autoregressive" else set())
    for other, rule in OWN.items():
        if other == kind:
            assert rule in rules
    assert ("re-noised-random" in rules) == (kind in {"entropy-bound", "block-refinement"})


def test_a_mask_token_sampler_without_its_token(healthy):
    reasons = dict(check_conformance(claiming(healthy, "mask-token")).not_checked)
    for rule in ("undecided-masked", "unmasked-stay"):
        assert reasons[rule] == "needs the mask token in the facts ('mask_token_id')"


def test_the_recorders_claim_what_they_record(healthy, tiny):
    assert (healthy.facts.sampler_kind, inferred_from(healthy)) == ("entropy-bound", "")
    for sampler, kind in (("block_refinement", "block-refinement"), ("discrete_ddim", "discrete-ddim")):
        assert run(*tiny, "sort 5 3 4=", sampler, {"max_denoising_steps": 2}).facts.sampler_kind == kind
    masked = run(*dv.load_tiny("masked"), "sort 5 3 4=", "llada2", {"max_denoising_steps": 2})
    assert masked.facts.sampler_kind == "mask-token"


@pytest.mark.parametrize(
    ("facts", "kind", "why"),
    [
        ({"sampler": ""}, SamplerKind.ENTROPY_BOUND, "the trace names none"),
        ({"sampler": "EntropyBoundSampler"}, SamplerKind.ENTROPY_BOUND, "its name, 'EntropyBoundSampler'"),
        ({"sampler": "speculative"}, SamplerKind.CAUSAL, "its name, 'speculative'"),
        ({"sampler": "theirs", "mask_token_id": 5}, SamplerKind.MASKED, "its mask token"),
        ({"sampler": "theirs"}, SamplerKind.ENTROPY_BOUND, "its entropy bound"),
    ],
)
def test_a_trace_without_a_claim_is_inferred_and_says_so(healthy, facts, kind, why):
    trace = claiming(healthy, "", **facts)
    assert (sampler_kind(trace), inferred_from(trace)) == (kind, why)
    report = check_conformance(trace)
    for shown in (" ".join(str(report).split()), report._repr_html_().replace("&#x27;", "'")):
        assert f"inferred from {why}" in shown or f"inferred, as {why}" in shown
        assert "'sampler_kind'" in shown


def test_a_name_of_its_own_and_nothing_else(healthy):
    bare = replace(claiming(healthy, "", sampler="theirs", settings={}), entropy_bound=np.full(healthy.n_steps, np.nan))
    assert (sampler_kind(bare), inferred_from(bare)) == (SamplerKind.OTHER, "its name, which is no known one")


def test_the_claim_is_kept(healthy, tmp_path):
    trace = claiming(healthy, "other")
    save_json_lines(trace, tmp_path / "run.jsonl")
    trace.save(tmp_path / "run.safetensors")
    for name in ("run.jsonl", "run.safetensors"):
        assert load_trace(tmp_path / name).facts.sampler_kind == "other"
    recorder = dv.Recorder(sampler="mine", sampler_kind="other", vocab_size=9)
    recorder.step(noised=[1, 2], draft=[3, 4])
    assert sampler_kind(recorder.trace) is SamplerKind.OTHER
    assert "sampler_kind" not in RunFacts().to_json()


def test_a_claim_that_is_no_kind():
    with pytest.raises(RecordingError, match="'sampler_kind' is not one of 'entropy-bound', 'mask-token'"):
        dv.Recorder(sampler_kind="masked")
    with pytest.raises(TraceError, match="'sampler_kind' is not one of"):
        RunFacts.from_json({"sampler_kind": 5})
