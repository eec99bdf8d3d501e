"""What logits processors rule out, in real calls of generate() and at positions that they force."""

import numpy as np
import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList, SuppressTokensLogitsProcessor, TopKLogitsWarper

import dgemma_viz as dv
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.labs.interventions import Pin, intervene
from dgemma_viz.labs.run import run
from dgemma_viz.recorders.ruled_out import ruled_out
from dgemma_viz.trace.schema import RULED_OUT
from tests.recorders.conftest import CANVAS, VOCABULARY, prompts
from tests.recorders.same_run import run_both


class Force(LogitsProcessor):
    """Leaves one token at each of some positions; in place, as many do, where `low` is finite."""

    def __init__(self, tokens, low=-torch.inf):
        self.tokens, self.low = tokens, low

    def __call__(self, _input_ids, scores):
        scores = scores if np.isfinite(self.low) else scores.clone()
        for position, token in self.tokens.items():
            scores[:, position] = self.low
            scores[:, position, token] = 0
        return scores


def trace_of(model, *processors, batch=2, **options):
    def generate():
        given = LogitsProcessorList(processors) if processors else None
        return model.generate(**prompts(batch), logits_processor=given, **options)

    return run_both(model, generate)[1]


def test_without_processors_nothing_is_looked_for_nor_kept(model):
    trace = trace_of(model)
    assert trace.banned is None
    assert trace.banned_draft is None
    assert not trace.canvas_run().array("banned").any()
    assert (trace.canvas_run().array("banned_draft") == -1).all()


def test_suppressed_tokens_are_counted_and_drafts_that_they_were_are_named(model):
    before = trace_of(model)
    wanted = np.unique(before.draft[0])[:3].tolist()
    trace = trace_of(model, SuppressTokensLogitsProcessor(wanted))
    assert (trace.banned == len(wanted)).all()
    lost = trace.banned_draft != -1
    np.testing.assert_array_equal(lost[0], np.isin(before.draft[0], wanted), err_msg="step 0 reads the same canvas")
    np.testing.assert_array_equal(trace.banned_draft[0][lost[0]], before.draft[0][lost[0]])
    assert not np.isin(trace.draft, wanted).any()


@pytest.mark.parametrize("low", [-torch.inf, -1e9, torch.finfo(torch.float32).min])
def test_a_forced_position_has_one_token_left_however_it_is_forced(model, low):
    trace = trace_of(model, Force({2: 7, 5: 9}, low))
    forced = np.zeros(CANVAS, dtype=bool)
    forced[[2, 5]] = True
    assert (trace.banned[:, :, forced] == VOCABULARY - 1).all()
    assert not trace.banned[:, :, ~forced].any()
    assert (trace.draft[:, :, [2, 5]] == [7, 9]).all()
    wanted = trace.banned_draft[:, :, forced]
    assert (wanted != trace.draft[:, :, forced]).all()


def test_what_only_cuts_off_the_improbable_rules_nothing_out(model):
    assert trace_of(model, TopKLogitsWarper(4)).banned is None
    trace = trace_of(model, Force({2: 7}), TopKLogitsWarper(4))
    lost = trace.banned_draft != -1
    assert lost[:, :, 2].any()
    np.testing.assert_array_equal(trace.banned > 0, lost)
    assert (trace.banned[lost] == VOCABULARY - 1).all()


def test_a_model_that_is_sure_at_a_low_temperature_has_ruled_nothing_out():
    logits = torch.zeros(1, 2, 8)
    logits[0, 0, 3], logits[0, 1, 5] = 60.0, 30.0
    own = logits.argmax(-1)
    found = ruled_out(logits / 0.05, own, 0.05, cut_off=False)
    assert not found["banned"].any()
    banned = logits.clone()
    banned[0, 1, 5] = -torch.inf
    found = ruled_out(banned / 0.05, own, 0.05, cut_off=False)
    assert found["banned"].tolist() == [[0, 1]]
    assert found["banned_draft"].tolist() == [[-1, 5]]


def test_a_position_without_a_distribution_has_nothing_ruled_out():
    logits = torch.zeros(1, 3, 8)
    logits[0, 0], logits[0, 1, 2], logits[0, 2, 2] = -torch.inf, torch.nan, torch.inf
    found = ruled_out(logits, torch.zeros(1, 3, dtype=torch.long), 1.0, cut_off=False)
    assert not found["banned"].any()
    assert (found["banned_draft"] == -1).all()


def test_on_step_and_the_file_have_it_too(model, tmp_path):
    seen = []
    with dv.record(model, on_step=seen.append) as recording:
        model.generate(**prompts(1), logits_processor=LogitsProcessorList([Force({2: 7})]))
    trace = recording.trace
    np.testing.assert_array_equal([step.banned for step in seen], trace.banned)
    trace.save(tmp_path / "run.safetensors")
    from dgemma_viz.trace import save_json_lines

    save_json_lines(trace, tmp_path / "run.jsonl")
    for name in ("run.safetensors", "run.jsonl"):
        again = dv.load_trace(tmp_path / name)
        for array in RULED_OUT:
            np.testing.assert_array_equal(getattr(again, array), getattr(trace, array), err_msg=name)
    assert {*RULED_OUT} <= {*trace.to_dataframe().columns}


def test_an_own_loop_hands_over_logits_in_which_tokens_are_impossible():
    logits = np.zeros((4, 6), dtype=np.float32)
    logits[1, [0, 2]] = -np.inf
    logits[2, :5] = -np.inf
    for given in (logits, torch.from_numpy(logits)):
        recorder = dv.Recorder(vocab_size=6)
        recorder.step(noised=[0, 1, 2, 3], logits=np.zeros((4, 6)), candidate=[0, 0, 0, 0], accepted=[0, 0, 0, 0])
        recorder.step(noised=[0, 1, 2, 3], logits=given, candidate=[0, 1, 5, 0], accepted=[1, 1, 1, 1])
        recorder.emit([0, 1, 5, 0])
        assert recorder.trace.banned[:, 0].tolist() == [[0, 0, 0, 0], [0, 2, 5, 0]]
        assert (recorder.trace.banned_draft == -1).all()


def test_filters_of_an_own_loop_rule_nothing_out():
    logits = np.full((4, 6), -np.inf)
    logits[:, 2] = logits[:2, 3] = 0
    for given in (logits, torch.from_numpy(logits)):
        recorder = dv.Recorder(vocab_size=6)
        recorder.step(noised=[0, 1, 2, 3], logits=given)
        assert recorder.trace.banned is None


def test_a_pinned_token_is_a_clamped_one():
    tiny = dv.load_tiny()
    original = run(*tiny, "sort 5 3 4 =", parameters={"t_min": 1.0, "t_max": 2.0, "max_denoising_steps": 8})
    token = int((original.draft[0, 0, 3] + 1) % original.facts.vocab_size)
    done = intervene(*tiny, original, [Pin(3, token, step=1)])
    pinned = clamped(done.trace.canvas_run())
    assert not pinned[0].any()
    assert np.flatnonzero(pinned[1]).tolist() == [3]
    assert done.divergence_before is None
