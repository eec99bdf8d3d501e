"""Loops that pass only a block, growing windows, noise that is any token: canvas by canvas what the loops noted."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import DynamicCache

import dgemma_viz as dv
from dgemma_viz.trace import Decision
from tests.recorders.public_loops import (
    EOS,
    MASK,
    Blockwise,
    Notes,
    TinyDenoiser,
    ddpm,
    fast_dllm,
    in_windows,
    sdar,
    small_blocks,
    uniform,
)


def prompts(rows, length=6):
    return torch.randint(5, MASK, (rows, length), generator=torch.Generator().manual_seed(2))


def recorded(model, loop, result=False, **options):
    torch.manual_seed(5)
    bare = loop(Notes())
    torch.manual_seed(5)
    notes = Notes()
    with dv.record(model, **{"mask_token_id": MASK} | options) as recording:
        output = loop(notes)
        if result:
            recording.result(output)
    ids = output[0] if isinstance(output, tuple) else output
    assert torch.equal(ids, bare[0] if isinstance(bare, tuple) else bare)
    return notes, ids, recording.trace


def as_noted(trace, notes, ids, spans):
    """Each step is what the loop noted of its pass, over the places of the step's canvas."""
    assert trace.n_steps == len(notes.noised)
    assert trace.canvas_lengths.tolist() == [end - begin for begin, end in spans]
    for step, place in enumerate(notes.begin):
        begin, end = spans[trace.canvas[step]]
        span, here = slice(begin - place, end - place), slice(end - begin)
        put = notes.put[step]
        assert int(put.sum()) == int(put[:, span].sum()), "a pass decided outside its canvas"
        accepted = np.isin(trace.decision[step], (Decision.ACCEPTED, Decision.EDITED))[:, here]
        assert (trace.noised[step][:, here] == notes.noised[step][:, span].numpy()).all()
        assert (accepted == put[:, span].numpy()).all()
        assert (trace.candidate[step][:, here] == notes.candidate[step][:, span].numpy()).all()
        assert (trace.draft[step][:, here] == notes.candidate[step][:, span].numpy()).all()
    for canvas, (begin, end) in enumerate(spans):
        assert (trace.emitted[canvas][:, : end - begin] == ids[:, begin:end].numpy()).all()
    assert trace.facts.status == "complete"


@pytest.mark.parametrize("rows", [1, 3])
def test_blocks_with_a_cache_object_that_is_stored_in_a_pass_of_its_own(rows):
    model, prompt = Blockwise(), prompts(rows)
    notes, ids, trace = recorded(model, lambda notes: sdar(model, prompt, notes, DynamicCache()))
    as_noted(trace, notes, ids, [(6, 8), (8, 12), (12, 16), (16, 20)])
    assert (trace.prompt == prompt.numpy()).all()
    watched = trace.facts.settings["watched"]
    assert watched["passes"] == watched["denoising_passes"] + 5
    assert watched["end_known_from"] == "a later pass"


@pytest.mark.parametrize("rows", [1, 3])
def test_shifted_logits_and_a_token_that_the_storing_pass_gives(rows):
    model, prompt = Blockwise(), prompts(rows, length=10)
    notes, ids, trace = recorded(model, lambda notes: small_blocks(model, prompt, notes, DynamicCache()))
    as_noted(trace, notes, ids, [(10, 16), (16, 24)])
    assert trace.facts.settings["watched"]["logits_shifted_by"] == 1
    assert (trace.decision[trace.canvas == 1][:, :, 0] == Decision.KEPT).all()


@pytest.mark.parametrize("dual", [False, True])
def test_whole_passes_and_passes_of_a_block_are_steps_of_one_canvas(dual):
    model, prompt = TinyDenoiser(), prompts(1)
    notes, ids, trace = recorded(model, lambda notes: fast_dllm(model, prompt, notes, dual=dual), result=True)
    as_noted(trace, notes, ids, [(6, 14), (14, 22)])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_window_that_grows_is_a_canvas_for_each_block_and_what_was_cut_off_is_seen_in_the_tensor(rows):
    model, prompt = TinyDenoiser(), prompts(rows)
    notes, ids, trace = recorded(model, lambda notes: in_windows(model, prompt, notes), result=True)
    assert trace.canvas_lengths.tolist() == [4, 4, 4]
    whole = np.concatenate(list(trace.emitted), axis=1)
    assert (whole[:, : ids.shape[1]] == ids.numpy()).all()
    accepted = (trace.decision == Decision.ACCEPTED).sum(axis=(1, 2)).tolist()
    assert accepted == [int(put.sum()) for put in notes.put]


def test_masks_that_fall_by_chance_and_a_last_pass_over_all():
    model = TinyDenoiser()
    notes, ids, trace = recorded(model, lambda notes: ddpm(model, notes), result=True)
    assert trace.prompt.shape[1] == 0
    for step, (candidate, put) in enumerate(zip(notes.candidate, notes.put, strict=True)):
        accepted = trace.decision[step] == Decision.ACCEPTED
        assert (accepted == put.numpy()).all()
        assert (trace.candidate[step] == candidate.numpy())[accepted].all()
    assert (trace.emitted[0] == ids.numpy()).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_where_noise_is_any_token_the_logits_tell_most_of_what_was_accepted(rows):
    model, prompt = TinyDenoiser(), prompts(rows)
    notes, ids, trace = recorded(model, lambda notes: uniform(model, prompt, notes), result=True, mask_token_id=-1)
    assert trace.facts.sampler_kind == "other"
    assert trace.facts.mask_token_id is None
    assert (trace.prompt == prompt.numpy()).all()
    assert (trace.noised == torch.stack(notes.noised).numpy()).all()
    assert (trace.draft == torch.stack(notes.candidate).numpy()).all()
    put = torch.stack(notes.put).numpy()
    assert (trace.accepted == put).mean() > 0.8
    assert trace.accepted[put].all(), "a draft that stands is always taken for accepted"
    assert (trace.emitted[0] == ids[:, 6:].numpy()).all()
    assert "is judged by the logits" in trace.facts.notices[0].text


def test_a_mask_token_that_nobody_names_is_found_in_what_the_passes_replace():
    model = TinyDenoiser()
    notes, ids, trace = recorded(model, lambda notes: ddpm(model, notes), result=True, mask_token_id=None)
    assert trace.facts.mask_token_id == MASK
    assert f"Nobody named the mask token; {MASK} is taken for it" in trace.facts.notices[0].text
    assert (trace.emitted[0] == ids.numpy()).all()
    assert trace.n_steps == len(notes.put)


def test_what_a_loop_cuts_off_behind_the_end_is_padding():
    model, prompt = TinyDenoiser(), prompts(1)
    model.config = SimpleNamespace(eos_token_id=EOS, pad_token_id=0)
    with torch.no_grad(), dv.record(model, mask_token_id=MASK) as recording:
        model(torch.nn.functional.pad(prompt, (0, 6), value=MASK))
        recording.result([[*prompt[0].tolist(), 7, EOS]])
    trace = recording.trace
    assert trace.emitted[0, 0].tolist() == [7, EOS, 0, 0, 0, 0]
    assert trace.decision[0, 0].tolist() == 2 * [Decision.ACCEPTED] + 4 * [Decision.NOISE]
    assert trace.output_ids(0).tolist() == [7]
