"""Loops that do nothing, break off, take turns, move positions, or score: a trace of what is known, or a way out."""

import threading

import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.recorders import RecorderWarning
from dgemma_viz.trace import NoticeCode
from tests.recorders.conftest import small_model
from tests.recorders.public_loops import MASK, Notes, TinyDenoiser, infilled, inserting, llada


def canvas(token=7, length=10, begin=3):
    x = torch.full((1, length), token)
    x[:, begin:] = MASK
    return x


def inside(recording, call):
    with recording:
        call()


def words(trace):
    return " ".join(notice.text for notice in trace.facts.notices)


def test_a_loop_that_never_changes_what_it_reads():
    model = TinyDenoiser()
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        for _ in range(3):
            model(canvas())
    trace = recording.trace
    assert trace.n_steps == 3
    assert not (trace.decision == 1).any()
    assert "What 1 pass decided is not known" in words(trace)
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        model(canvas())
        recording.result(canvas())
    assert "No position changed in 1 pass" in words(recording.trace)


def test_passes_that_read_no_mask_say_what_to_hand_over():
    model = TinyDenoiser()
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        model(torch.full((1, 5), 7))
    assert recording.traces == []
    with pytest.raises(RecordingError, match=r"no pass \(of 1\) read the mask token 39.*mask_token_id=.*or -1"):
        _ = recording.trace
    with dv.record(model) as recording, torch.no_grad():
        model(torch.full((1, 5), 7))
    with pytest.raises(RecordingError, match=r"TinyDenoiser names no mask token.*mask_token_id="):
        _ = recording.trace
    with dv.record(model) as recording:
        pass
    with pytest.raises(RecordingError, match=r"no forward pass of this TinyDenoiser ran.*inside the 'with' block"):
        _ = recording.trace


def test_scoring_is_told_from_denoising_by_tokens_that_the_logits_do_not_explain():
    model, text = TinyDenoiser(), torch.arange(5, 35)[None]
    with torch.no_grad():
        said = model(torch.where(torch.arange(30) < 4, text, MASK)).logits
    text[0, 4:] = said[0, 4:, :MASK].argmin(-1)
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        for shown in (4, 12, 20, 30):
            model(torch.where(torch.arange(30) < shown, text, MASK))
    assert NoticeCode.DECISIONS_UNEXPLAINED in [notice.code for notice in recording.trace.facts.notices]


def test_a_text_that_is_scored_after_the_loop_is_no_part_of_its_run():
    """Other tokens behind the same prompt, in a sequence as long or longer, some of them masked."""
    model = TinyDenoiser()
    for length in (10, 16):
        text = torch.randint(8, MASK, (1, length), generator=torch.Generator().manual_seed(1))
        text[:, :3] = 7
        hidden = torch.arange(length) % 3 == 1
        hidden[:3] = False
        with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
            output = infilled(model, canvas(), Notes())
            model(output)
            for shown in (hidden, hidden.roll(1), hidden):
                model(text.masked_fill(shown & (torch.arange(length) >= 3), MASK))
        first, *_ = recording.traces
        assert (first.n_steps, first.facts.status) == (4, "complete")
        assert (first.emitted[0] == output[:, 3:].numpy()).all()


def test_scoring_looks_like_masks_that_give_back_what_was_there():
    model, text = TinyDenoiser(), torch.arange(5, 17)[None]
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        for place in range(12):
            model(text.masked_fill(torch.arange(12) == place, MASK))
    codes = [notice.code for notice in recording.trace.facts.notices]
    assert NoticeCode.MAY_NOT_DENOISE in codes
    assert "10 tokens that stood there from the first were masked, and all came back" in words(recording.trace)


@pytest.mark.parametrize(("filler", "given"), [(MASK, MASK), (0, -1)])
def test_an_autoregressive_loop_in_a_canvas_is_said_to_look_like_one(filler, given):
    model = TinyDenoiser(shifted=False)
    x = torch.full((1, 14), filler)
    x[:, :4] = 7
    with dv.record(model, mask_token_id=given) as recording, torch.no_grad():
        for place in range(4, 14):
            x[:, place] = model(x).logits[:, place - 1].argmax(-1)
    assert NoticeCode.MAY_NOT_DENOISE in [notice.code for notice in recording.trace.facts.notices]
    assert "An autoregressive loop looks like this" in words(recording.trace)


def test_tokens_that_are_only_appended_are_no_denoising():
    model = TinyDenoiser()
    for given, match in (
        (-1, "only appends tokens.*If this one denoised"),
        (MASK, r"no pass \(of 5\) read the mask"),
    ):
        x = torch.full((1, 4), 7)
        with dv.record(model, mask_token_id=given) as recording, torch.no_grad():
            for _ in range(5):
                x = torch.cat([x, model(x).logits[:, -1:].argmax(-1)], dim=1)
        with pytest.raises(RecordingError, match=match):
            _ = recording.trace


def test_loops_that_take_turns_are_two_runs():
    model = TinyDenoiser()
    alone = [infilled(model, canvas(token), Notes()) for token in (7, 8)]
    rows = [canvas(7), canvas(8)]
    with dv.record(model, mask_token_id=MASK) as recording, torch.no_grad():
        while any((x == MASK).any() for x in rows):
            for x in rows:
                logits = model(x).logits
                sure = logits.softmax(-1).amax(-1).masked_fill(x != MASK, -1)
                best = sure.topk(min(2, int((x == MASK).sum()))).indices
                x.scatter_(1, best, logits.argmax(-1).gather(1, best))
        for x in rows:
            model(x)
    assert [trace.emitted[0, 0].tolist() for trace in recording.traces] == [x[0, 3:].tolist() for x in alone]


def test_calls_one_after_the_other_and_in_threads_are_runs_of_their_own():
    model, prompts = TinyDenoiser(), [torch.full((1, 4), token) for token in (7, 7, 9)]
    outputs = {}
    with dv.record(model, mask_token_id=MASK) as recording:
        llada(model, prompts[0], Notes())
        llada(model, prompts[0], Notes())
        threads = [
            threading.Thread(target=lambda n=n: outputs.update({n: llada(model, prompts[n], Notes())})) for n in (1, 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [trace.n_steps for trace in recording.traces] == [6] * 4
    assert {tuple(trace.emitted[0, 0]) for trace in recording.traces} == {
        tuple(ids[0, 4:].tolist()) for ids in outputs.values()
    }


def test_a_loop_that_breaks_off_leaves_the_trace_so_far():
    model, passes = TinyDenoiser(), []

    def stop(*_):
        passes.append(1)
        if len(passes) == 4:
            raise ZeroDivisionError("enough")

    handle = model.register_forward_pre_hook(stop)
    recording = dv.record(model, mask_token_id=MASK)
    with pytest.raises(ZeroDivisionError):
        inside(recording, lambda: llada(model, torch.full((1, 4), 7), Notes()))
    handle.remove()
    trace = recording.trace
    assert (trace.facts.status, trace.n_steps) == ("failed", 3)
    assert "enough" in trace.facts.error
    assert trace.accepted.sum(axis=-1).ravel().tolist() == [2, 4, 6]


def test_a_loop_that_inserts_tokens_is_refused_in_clear_words():
    model, prompt = TinyDenoiser(), torch.full((1, 4), 7)
    bare = inserting(model, prompt)
    with (
        dv.record(model, mask_token_id=MASK) as recording,
        pytest.warns(RecorderWarning, match="loops that insert or delete tokens cannot be recorded"),
    ):
        assert torch.equal(inserting(model, prompt), bare)
    trace = recording.trace
    assert trace.n_steps == 1
    assert trace.facts.status == "failed"
    assert "tokens moved" in trace.facts.error


def test_a_result_of_something_else_is_refused_and_nothing_is_changed_by_it():
    model = TinyDenoiser()
    with dv.record(model, mask_token_id=MASK) as recording:
        output = infilled(model, canvas(), Notes())
        with pytest.raises(RecordingError, match="not that of this run"):
            recording.result(output + 1)
        with pytest.raises(RecordingError, match=r"2 sample"):
            recording.result(output.repeat(2, 1))
        with pytest.raises(RecordingError, match="holds no token ids"):
            recording.result("text")
        assert recording.trace.facts.status == "interrupted"
        assert recording.result({"sequences": output})
    assert recording.trace.facts.status == "complete"
    with dv.record(model, mask_token_id=MASK) as recording, pytest.raises(RecordingError, match="there is no run"):
        recording.result(output)


def test_settings_that_cannot_be():
    with pytest.raises(RecordingError, match="no token id"):
        dv.record(TinyDenoiser(), mask_token_id=0.5)
    with pytest.raises(SettingError, match="mask_token_id is for models whose passes are watched"):
        dv.record(small_model(), mask_token_id=3)


def test_steps_are_told_as_they_settle_and_the_last_one_at_the_end():
    model, seen, notes = TinyDenoiser(), [], Notes()
    with dv.record(model, mask_token_id=MASK, on_step=seen.append) as recording:
        llada(model, torch.full((1, 4), 7), notes)
    assert [step.step_in_canvas for step in seen] == list(range(recording.trace.n_steps))
    for step, put in zip(seen, notes.put, strict=True):
        assert int((step.decision == 1).sum()) == int(put.sum())


def test_a_failing_recorder_ends_the_recording_and_not_the_loop(monkeypatch):
    model = TinyDenoiser()
    bare = infilled(model, canvas(), Notes())

    def full(*_, **__):
        raise MemoryError("none left")

    with dv.record(model, mask_token_id=MASK) as recording:
        monkeypatch.setattr("dgemma_viz.recorders.any_loop_pass.reduce_logits", full)
        with pytest.warns(RecorderWarning, match="recording stopped because of MemoryError: none left"):
            assert torch.equal(infilled(model, canvas(), Notes()), bare)
    with pytest.raises(RecordingError, match="MemoryError"):
        _ = recording.trace


def test_the_model_is_left_as_it_was():
    model = TinyDenoiser()
    before = dict(vars(model))
    with pytest.raises(KeyError):
        inside(dv.record(model, mask_token_id=MASK), lambda: {}[model(canvas()).logits.ndim])
    assert vars(model) == before
