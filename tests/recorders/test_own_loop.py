"""dv.Recorder: a loop that hands over its own arrays gets the trace that recording it would have given."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.recorders.own_loop import Recorder
from dgemma_viz.recorders.own_loop_reduce import reduce_any
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.tiny.vocabulary import MASK_ID
from dgemma_viz.trace import Decision, Phase, load_trace
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.notice import NoticeCode
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.trace.task import RunTask

MASK = 9
SORT = TASKS["sort"].example_prompts[1]


@pytest.fixture(scope="module")
def tiny():
    return load_tiny("masked")


def own_loop(model, tokenizer, prompt, recorder, *, length=16, quota=4):
    """LLaDA's loop (arXiv 2502.09992, algorithm 5): all masked, then the most confident candidates, some a step."""
    ids = encode_prompt(tokenizer, prompt)["input_ids"]
    start = ids.shape[1]
    x = torch.cat([ids, torch.full((1, length), MASK_ID)], dim=1)
    canvas = slice(start, start + length)
    with torch.no_grad():
        while (x == MASK_ID).any():
            logits = model(x).logits
            candidate, before = logits.argmax(-1), x.clone()
            confidence = logits.softmax(-1).amax(-1).masked_fill(x != MASK_ID, -1.0)
            chosen = confidence.topk(quota).indices
            x[0, chosen[0]] = candidate[0, chosen[0]]
            recorder.step(noised=before[0, canvas], logits=logits[0, canvas], candidate=candidate[0, canvas])
    recorder.emit(x[0, canvas])
    return x[0, canvas].tolist()


def test_three_lines_make_a_whole_trace(tiny, tmp_path):
    model, tokenizer = tiny
    prompt_ids = encode_prompt(tokenizer, SORT)["input_ids"]
    recorder = Recorder(tokenizer, prompt=prompt_ids, mask_token_id=MASK_ID, sampler="LLaDA")
    emitted = own_loop(model, tokenizer, SORT, recorder)
    trace = recorder.trace
    assert trace.n_steps == 4
    assert trace.facts.status == "complete"
    assert trace.facts.vocab_size == len(tokenizer)
    assert trace.output_ids().tolist() == emitted[: emitted.index(tokenizer.eos_token_id)]
    assert trace.prompt_text() == f"<bos>{SORT}"
    assert set(trace.facts.absent) == {"temperature", "entropy_bound", "finished"}
    counts = [(trace.decision[:, 0] == code).sum(axis=-1).tolist() for code in Decision]
    assert counts == [[12, 8, 4, 0], [4, 4, 4, 4], [0, 4, 8, 12], [0] * 4, [0] * 4]
    trace.save(tmp_path / "own.safetensors")
    assert load_trace(tmp_path / "own.safetensors").output_text() == trace.output_text()
    found = diagnose(trace, reference=lambda _prompt, text: text == "nothing of the kind").findings
    assert "wrong-answer" in {finding.rule for finding in found}
    report = check_conformance(trace)
    assert report.ok, str(report)
    assert "undecided-masked" in report.passed
    assert report.not_applicable, "the entropy bound's rules are not for this sampler"
    assert len(trace.to_dataframe()) == 4 * 16


def test_it_records_what_dv_record_records(tiny):
    """The same steps of LLaDA2Pipeline, once hooked and once handed over by its own callback."""
    from diffusers import BlockRefinementScheduler, LLaDA2Pipeline

    model, tokenizer = tiny
    pipe = LLaDA2Pipeline(model=model, scheduler=BlockRefinementScheduler(), tokenizer=tokenizer)
    pipe.set_progress_bar_config(disable=True)
    steps, ended = [], []

    def around_step(**kwargs):
        output = scheduler_step(**kwargs)
        steps.append((kwargs["sample"].clone(), kwargs["model_output"].clone(), output.sampled_tokens.clone()))
        return output

    def around_end(**kwargs):
        goes_on = scheduler_end(**kwargs)
        ended.append(not goes_on)
        return goes_on

    scheduler_step, scheduler_end = pipe.scheduler.step, pipe.scheduler.check_block_should_continue
    pipe.scheduler.step, pipe.scheduler.check_block_should_continue = around_step, around_end
    options = {"block_length": 8, "threshold": 0.95, "sampling_method": "greedy", "eos_early_stop": False}
    torch.manual_seed(3)
    with record(pipe) as recording:
        pipe(prompt=TASKS["sudoku"].example_prompts[0], gen_length=25, **options)
    hooked = recording.trace

    recorder = Recorder(tokenizer, prompt=hooked.prompt, mask_token_id=MASK_ID, output_span=hooked.facts.output_span)
    for (noised, logits, candidate), last, phase in zip(steps, ended, hooked.phase, strict=True):
        recorder.step(noised=noised, logits=logits, candidate=candidate, temperature=1.0, phase=int(phase))
        if last:
            recorder.emit(hooked.emitted[len(recorder.trace.emitted)])
    told = recorder.trace
    for name in sorted(set(ARRAYS) - {"wall_time", "finished", "past_end"}):
        if ARRAYS[name].dtype.startswith("float"):
            np.testing.assert_allclose(getattr(told, name), getattr(hooked, name), rtol=1e-5, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(getattr(told, name), getattr(hooked, name), err_msg=name)
    assert told.output_text() == hooked.output_text()


def test_outcomes_are_seen_from_the_next_step():
    """By hand: mask 9; unmasked, kept, edited, masked again."""
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9, 9, 9], draft=[1, 2, 3, 4])
    recorder.step(noised=[1, 2, 9, 4], draft=[1, 5, 3, 4])
    recorder.step(noised=[1, 5, 9, 9], draft=[1, 5, 3, 6])
    recorder.emit([1, 5, 3, 6])
    n, a, k, e = Decision.NOISE, Decision.ACCEPTED, Decision.KEPT, Decision.EDITED
    np.testing.assert_array_equal(recorder.trace.decision[:, 0], [[a, a, n, a], [k, e, n, n], [k, k, a, a]])


def test_accepted_says_what_was_put_now_and_the_rest_follows():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9, 9], candidate=[1, 2, 3], accepted=[1, 0, 0])
    recorder.step(noised=[1, 9, 9], candidate=[1, 2, 3], accepted=[0, 1, 0])
    recorder.emit([1, 2, 3])  # the loop filled the last mask itself
    n, a, k = Decision.NOISE, Decision.ACCEPTED, Decision.KEPT
    np.testing.assert_array_equal(recorder.trace.decision[:, 0], [[a, n, n], [k, a, n]])


def test_an_edit_is_seen_though_the_loop_only_tells_what_it_unmasks():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[1, 9], draft=[5, 2], accepted=[0, 1])
    recorder.emit([5, 2])
    np.testing.assert_array_equal(recorder.trace.decision[0, 0], [Decision.EDITED, Decision.ACCEPTED])


def test_a_drawn_mask_is_noise_and_no_mistake():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9], candidate=[1, 9], accepted=[1, 1])
    recorder.step(noised=[1, 9], candidate=[1, 2], accepted=[0, 1])
    recorder.emit([1, 2])
    np.testing.assert_array_equal(recorder.trace.decision[:, 0], [[1, 0], [2, 1]])
    assert not recorder.trace.facts.notices


def test_what_was_said_to_be_accepted_holds_where_the_loop_breaks_off():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9, 1], candidate=[1, 2, 3], accepted=[1, 0, 0])
    np.testing.assert_array_equal(recorder.trace.decision[0, 0], [1, 0, 2])


def test_a_loop_that_breaks_off_says_nothing_of_its_last_step():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9], draft=[1, 2])
    recorder.step(noised=[1, 9], draft=[1, 2])
    with pytest.raises(KeyboardInterrupt), recorder:
        raise KeyboardInterrupt
    trace = recorder.trace
    np.testing.assert_array_equal(trace.decision[:, 0], [[1, 0], [2, 0]])
    assert trace.facts.status == "interrupted"
    assert trace.facts.error == "KeyboardInterrupt"


def test_an_exception_keeps_the_trace_and_goes_on():
    recorder = Recorder(vocab_size=5)
    recorder.step(noised=[1], draft=[2], accepted=[True])
    with pytest.raises(ZeroDivisionError), recorder:
        _ = 1 / 0
    assert (recorder.trace.facts.status, recorder.trace.n_steps) == ("failed", 1)


def test_without_a_mask_token_accepted_is_what_was_said():
    recorder = Recorder(vocab_size=10)
    recorder.step(noised=[4, 9], candidate=[1, 2], draft=[1, 3], accepted=[True, False])
    recorder.emit([1, 3])
    np.testing.assert_array_equal(recorder.trace.decision[0, 0], [1, 0])
    assert not {"candidate", "accepted"} & set(recorder.trace.facts.absent)


def test_what_is_not_handed_over_is_absent():
    recorder = Recorder(vocab_size=10)
    recorder.step(noised=[4, 9], draft=[1, 2])
    recorder.emit([1, 2])
    trace = recorder.trace
    assert {"candidate", "accepted", "entropy", "confidence", "top_k_ids", "temperature", "mean_entropy"} <= set(
        trace.facts.absent
    )
    assert (trace.candidate == UNKNOWN_TOKEN).all()
    assert np.isnan(trace.entropy).all()
    assert "wall_time" not in trace.facts.absent


def test_given_numbers_win_over_those_of_the_logits():
    recorder = Recorder(vocab_size=3)
    recorder.step(noised=[0, 0], logits=np.eye(3)[:2], entropy=[0.25, 0.5], draft=[2, 2], temperature=0.5)
    trace = recorder.trace
    np.testing.assert_array_equal(trace.entropy[0, 0], [0.25, 0.5])
    np.testing.assert_array_equal(trace.draft[0, 0], [2, 2])
    assert trace.temperature[0] == 0.5
    np.testing.assert_array_equal(trace.top_k_ids[0, 0, :, 0], [0, 1])


def test_batches_canvases_phases_and_rows_that_finish():
    recorder = Recorder(prompt=[[1, 2, 3], [4]], vocab_size=10, eos_token_ids=[0], pad_token_id=0)
    for canvas in range(2):
        for step in range(2):
            recorder.step(
                noised=np.full((2, 3), 5),
                draft=[[1, 1, 1], [2, 2, 0]],
                decision=np.full((2, 3), Decision.ACCEPTED),
                phase=Phase.CORRECT if step else Phase.DENOISE,
                active=[True, canvas == 0],
                finished=[step == 1, True],
            )
        recorder.emit([[1, 1, 1], [2, 2, 0]])
    trace = recorder.trace
    assert (trace.n_canvases, trace.n_steps, trace.n_samples) == (2, 4, 2)
    np.testing.assert_array_equal(trace.phase, [0, 1, 0, 1])
    np.testing.assert_array_equal(trace.active, [[1, 1], [1, 1], [1, 0], [1, 0]])
    np.testing.assert_array_equal(trace.past_end, [[False, False], [False, True]])
    np.testing.assert_array_equal(trace.prompt, [[1, 2, 3], [0, 0, 4]])
    np.testing.assert_array_equal(trace.prompt_mask, [[1, 1, 1], [0, 0, 1]])


def test_arrays_are_copied_at_once():
    x, recorder = np.array([9, 9]), Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=x, draft=[1, 2])
    x[:] = 1
    recorder.emit(x)
    np.testing.assert_array_equal(recorder.trace.noised[0, 0], [9, 9])


def test_the_trace_may_be_read_while_the_loop_runs():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9], draft=[1, 2])
    assert recorder.trace.facts.status == "interrupted"
    assert recorder.trace is recorder.trace
    recorder.emit([1, 2])
    assert recorder.trace.facts.status == "complete"
    assert recorder.trace.decision[0, 0].tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_tensors_of_any_precision(dtype):
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    recorder = Recorder(top_k=3)
    recorder.step(noised=torch.arange(4), logits=logits, candidate=torch.arange(4))
    expected = reduce_any(logits.detach().float().numpy()[None], np.arange(4)[None], 3)
    np.testing.assert_allclose(recorder.trace.entropy[0], expected["entropy"], rtol=1e-4)
    assert recorder.trace.top_k == 3


@settings(max_examples=40)
@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(2, 9),
    st.integers(1, 12),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_numpy_and_torch_logits_are_reduced_alike(samples, length, vocabulary, top_k, seed, ruled_out):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 5, (samples, length, vocabulary)).astype(np.float32)
    if ruled_out:
        logits[..., 1:][rng.random((samples, length, vocabulary - 1)) < 0.5] = -np.inf
    candidate = rng.integers(vocabulary, size=(samples, length))
    ours = reduce_any(logits, candidate, top_k)
    theirs = reduce_any(torch.from_numpy(logits), candidate, top_k)
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - {"top_k_ids"}:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**31))
def test_any_masked_run_follows_from_its_canvases(length, n_steps, seed):
    """Whatever a loop does to a canvas: noise is where the next step reads the mask, kept where nothing changed."""
    # Half of them the mask; of few other tokens three may stand in their old order by chance, as if they had moved.
    rng = np.random.default_rng(seed)
    canvases = np.where(
        rng.random((n_steps + 1, 1, length)) < 0.5, MASK, rng.integers(10, 5000, (n_steps + 1, 1, length))
    )
    recorder = Recorder(mask_token_id=MASK, vocab_size=5000)
    for canvas in canvases[:-1]:
        recorder.step(noised=canvas, draft=canvas)
    recorder.emit(canvases[-1])
    trace = recorder.trace
    after = canvases[1:]
    np.testing.assert_array_equal(trace.decision == Decision.NOISE, after == MASK)
    np.testing.assert_array_equal(trace.decision == Decision.KEPT, (after == trace.noised) & (after != MASK))
    np.testing.assert_array_equal(trace.decision == Decision.ACCEPTED, (trace.noised == MASK) & (after != MASK))


def test_accepted_tokens_that_hold_the_mask_afterwards_are_warned_of():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[9, 9], draft=[1, 2], accepted=[1, 0])
    with pytest.warns(RecorderWarning, match="1 positions that canvas 0, step 0 accepted hold the mask"):
        recorder.step(noised=[9, 9], draft=[1, 2], accepted=[1, 0])
    recorder.emit([1, 2])
    assert [notice.code for notice in recorder.trace.facts.notices] == [NoticeCode.ACCEPTED_MASKED]


GOOD = {"noised": [1, 2, 3], "draft": [1, 2, 3]}
BAD_STEPS = {
    "no draft": ({"noised": [1, 2, 3]}, "give 'logits', or 'draft'"),
    "shape": ({**GOOD, "candidate": [1, 2]}, "'candidate' is for 1 sample.* of 2 positions, but the canvas has 1 of 3"),
    "logits of the whole sequence": ({**GOOD, "logits": np.zeros((8, 10))}, r"'logits' have shape \(1, 8, 10\)"),
    "logits of another vocabulary": ({**GOOD, "logits": np.zeros((3, 11))}, "over 11 tokens, .* vocabulary has 10"),
    "outside the vocabulary": ({**GOOD, "draft": [1, 2, 10]}, "'draft' holds token id 10, outside the vocabulary"),
    "negative id": ({**GOOD, "candidate": [1, 2, -1]}, "'candidate' must hold token ids"),
    "floats": ({**GOOD, "candidate": [1.0, 2.0, 3.5]}, "'candidate' must hold token ids"),
    "not true or false": ({**GOOD, "accepted": [1, 2, 0]}, "'accepted' must be true or false"),
    "contradiction": ({**GOOD, "accepted": [1, 1, 0], "decision": [1, 0, 0]}, "'accepted' and 'decision' contradict"),
    "unknown code": ({**GOOD, "decision": [1, 0, 5]}, "'decision' must hold codes"),
    "unknown phase": ({**GOOD, "phase": 3}, "'phase' is 3"),
    "probability": ({**GOOD, "confidence": [1, 2, 3]}, "'confidence' must be probabilities"),
    "one of the alternatives": ({**GOOD, "top_k_ids": [[1], [2], [3]]}, "belong together"),
    "flag for each sample": ({**GOOD, "active": [True, False]}, "'active' has shape"),
    "text": ({**GOOD, "noised": ["a", "b", "c"]}, "'noised' holds"),
    "ragged": ({**GOOD, "entropy": [[1, 2], [3]]}, "'entropy'"),
    "empty": ({**GOOD, "noised": []}, "'noised' has shape"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_STEPS.values(), ids=BAD_STEPS)
def test_wrong_steps_are_refused_and_nothing_of_them_is_kept(arguments, message):
    recorder = Recorder(vocab_size=10)
    with pytest.raises(RecordingError, match=f"canvas 0, step 0: .*{message}"):
        recorder.step(**arguments)
    recorder.step(**GOOD)
    assert recorder.trace.n_steps == 1


def test_steps_must_be_alike():
    recorder = Recorder(vocab_size=10)
    recorder.step(**GOOD)
    with pytest.raises(RecordingError, match="canvas 0, step 1: only this step has 'entropy'"):
        recorder.step(**GOOD, entropy=[0.1, 0.1, 0.1])
    with pytest.raises(
        RecordingError, match="the canvas has 2 positions, but 3 in its first step: a position must keep its meaning"
    ):
        recorder.step(noised=[1, 2], draft=[1, 2])
    recorder.step(**GOOD)
    assert recorder.trace.n_steps == 2


def test_the_tokenizer_s_size_holds_where_there_are_no_logits(tiny):
    recorder, size = Recorder(tiny[1]), len(tiny[1])
    with pytest.raises(RecordingError, match=f"'draft' holds token id {size}, outside the vocabulary of {size}"):
        recorder.step(noised=[1, 2], draft=[1, size])


def test_a_model_s_vocabulary_may_exceed_the_tokenizer_s(tiny):
    recorder, more = Recorder(tiny[1]), len(tiny[1]) + 2
    recorder.step(noised=[1, more - 1], logits=np.eye(more)[[1, more - 1]])
    assert recorder.trace.facts.vocab_size == more
    with pytest.raises(RecordingError, match="do not belong together"):
        Recorder(tiny[1]).step(noised=[1], logits=np.zeros((1, 64)))


def test_wrong_order_and_wrong_emitted_tokens():
    recorder = Recorder(vocab_size=10)
    with pytest.raises(RecordingError, match="nothing was recorded"):
        _ = recorder.trace
    with pytest.raises(RecordingError, match=r"emit\(\) of canvas 0 came before any step"):
        recorder.emit([1])
    recorder.step(**GOOD)
    with pytest.raises(RecordingError, match=r"emit\(\) of canvas 0: 'emitted' holds token id 12"):
        recorder.emit([1, 2, 12])
    recorder.emit([1, 2, 3])
    with pytest.raises(RecordingError, match=r"emit\(\) of canvas 1 came before any step"):
        recorder.emit([1, 2, 3])


def test_wrong_facts(tiny):
    with pytest.raises(SettingError, match="top_k of 0"):
        Recorder(top_k=0)
    with pytest.raises(RecordingError, match="no fact 'samplr'"):
        Recorder(samplr="mine")
    with pytest.raises(RecordingError, match="JSON"):
        Recorder(task={"a": {1, 2}})
    with pytest.raises(RecordingError, match="mask token 105 is outside"):
        Recorder(tiny[1], mask_token_id=105)
    with pytest.raises(RecordingError, match="is not a tokenizer"):
        Recorder("bert-base-uncased")
    with pytest.raises(RecordingError, match="token ids"):
        Recorder(prompt=[0.5, 1.5])
    recorder = Recorder(prompt=[[1], [2]], vocab_size=10)
    recorder.step(**GOOD)
    with pytest.raises(RecordingError, match="prompts for 2 samples, but the steps have 1"):
        _ = recorder.trace


def test_facts_are_kept(tiny):
    recorder = Recorder(tiny[1], seed=4, sampler="mine", settings={"steps": np.int64(8)}, task={"name": "sort"})
    recorder.step(**GOOD)
    facts = recorder.trace.facts
    assert (facts.seed, facts.sampler, facts.settings, facts.task) == (4, "mine", {"steps": 8}, RunTask(name="sort"))
    assert facts.eos_token_ids == (tiny[1].eos_token_id,)
    assert recorder.trace.token_text(1) == "<eos>"


def test_an_own_loop_of_numpy_needs_no_torch():
    script = (
        "import sys; from dgemma_viz.recorders.own_loop import Recorder; import numpy as np;"
        "r = Recorder(mask_token_id=3); r.step(noised=[3, 3], logits=np.eye(4)[:2]); r.emit([0, 1]); r.trace;"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
