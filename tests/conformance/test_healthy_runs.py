"""The unmodified ``generate()`` breaks no rule, whatever its settings."""

import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

import dgemma_viz as dv
from dgemma_viz.conformance import RULES, Tolerances, check_conformance
from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.tiny import encode_prompt
from dgemma_viz.tiny.tasks import TASKS
from tests.conformance.conftest import UNSURE, record_batch

BATCH = ["sudoku", "addition", "story"]


@pytest.mark.parametrize(
    ("tasks", "arguments"),
    [
        *(([task], {}) for task in TASKS),
        (BATCH, {}),
        (BATCH, UNSURE),
        (["long", "sort"], {"max_denoising_steps": 3}),
        (BATCH, {"max_denoising_steps": 1}),
        (["story"], {"stability_threshold": None, "max_denoising_steps": 9}),
        (BATCH, {"confidence_threshold": None, "max_denoising_steps": 4}),
        (BATCH, {"stability_threshold": 0, "confidence_threshold": 0.3}),
        (["story", "story"], {"stability_threshold": 3}),
        (BATCH, {"sampler_config": EntropyBoundSamplerConfig(1e-6)}),
        (BATCH, {"sampler_config": EntropyBoundSamplerConfig(50.0), **UNSURE}),
        (["long"], {"max_new_tokens": 20}),
        (["sort"], {"t_min": None}),
        (["long", "sort"], {"pad_token_id": None}),
        (BATCH, {"cache_implementation": "static", "disable_compile": True}),
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_rule_is_broken(tiny, tasks, arguments, seed):
    report = check_conformance(record_batch(*tiny, tasks, seed, **arguments))
    assert report.ok, str(report)
    judged = len(report.passed) + len(report.undecided)
    assert judged + len(report.not_checked) + len(report.not_applicable) == len(RULES)


def test_a_warm_batch_leaves_nothing_unchecked(healthy):
    report = check_conformance(healthy, tolerances=Tolerances(1e-5, 1e-5, 1e-3))
    assert report.ok, str(report)
    evidence = Evidence(healthy, healthy.facts.settings)
    apart = "rows-agree"  # no two rows have one prompt
    assert report.passed == tuple(rule.name for rule in RULES if rule.unmet(evidence) is None and rule.name != apart)
    assert [name for name, _ in report.not_checked] == [apart]


def test_a_first_canvas_of_one_s_own_is_not_judged(tiny):
    model, tokenizer = tiny
    inputs = encode_prompt(tokenizer, "sort 5 3 4 =")
    canvas = torch.zeros((1, model.config.canvas_length), dtype=torch.long)
    with dv.record(model, tokenizer) as recording:
        model.generate(**inputs, decoder_input_ids=canvas, max_new_tokens=model.config.canvas_length)
    report = check_conformance(recording.trace)
    assert report.ok
    assert dict(report.not_checked)["initial-canvas-random"] == "the caller gave the first canvas"
