"""Loops that nobody taught us: what they decided is found out from their passes, and is what they noted themselves."""

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.labs.prompts import encode
from dgemma_viz.trace import Decision, NoticeCode
from tests.recorders.public_loops import EOS, MASK, PAD, Dreamer, Notes, TinyDenoiser, infilled, llada

GRIDS = ["sudoku 234_/_1__/__2_/3__4=", "sudoku 1234/____/____/____=", "sudoku _2_4/3___/__4_/4_2_="]


def recorded(model, loop, tokenizer=None, seed=3, result=False, **options):
    """Notes, output and recording of a loop that ran twice: recording changed nothing."""
    torch.manual_seed(seed)
    bare, state = loop(Notes()), None
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    notes = Notes()
    with dv.record(model, tokenizer, **options) as recording:
        output = loop(notes)
        if result:
            assert recording.result(output) is output
    assert torch.equal(output, bare)
    assert torch.equal(torch.get_rng_state(), state), "the random generator is another afterwards"
    return notes, output, recording


def as_noted(trace, notes, output, answer, *, drafts=True):
    """What was inferred is what the loop noted down, pass by pass, and the output what it returned."""
    assert trace.n_steps == len(notes.noised)
    for step, (noised, candidate, put) in enumerate(zip(notes.noised, notes.candidate, notes.put, strict=True)):
        begin = answer - notes.begin[step]
        accepted = np.isin(trace.decision[step], (Decision.ACCEPTED, Decision.EDITED))
        assert (trace.noised[step] == noised[:, begin:].numpy()).all()
        assert (accepted == put[:, begin:].numpy()).all()
        chosen = candidate[:, begin:].numpy()
        assert (trace.candidate[step] == chosen)[accepted].all()
        if drafts:
            assert (trace.draft[step] == chosen).all()
            assert (trace.candidate[step] == chosen).all()
    assert (trace.emitted[0] == output[:, answer:].numpy()).all()
    assert trace.facts.status == "complete"


def codes(trace):
    return [notice.code for notice in trace.facts.notices]


def words(trace):
    return " ".join(notice.text for notice in trace.facts.notices)


def prompts(rows=1, length=5):
    """Random prompts, left-padded from the second row on."""
    ids = torch.randint(5, MASK, (rows, length), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row in range(1, rows):
        ids[row, :row], mask[row, :row] = PAD, 0
    return ids, mask


# -- LLaDA -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [32, 16])
def test_the_bundled_masked_model_in_llada_s_loop(block):
    model, tokenizer = dv.load_tiny("masked")
    ids = encode(tokenizer, GRIDS[0])["input_ids"]
    mask = tokenizer.mask_token_id
    loop = lambda notes: llada(model, ids, notes, length=32, block=block, a_step=4, mask_id=mask)  # noqa: E731
    notes, output, recording = recorded(model, loop, tokenizer)
    trace = recording.trace
    as_noted(trace, notes, output, ids.shape[1])
    assert trace.output_text() == "2341/4132/1423/3214"
    assert trace.facts.sampler == "llada"
    assert trace.facts.sampler_kind == "mask-token"
    assert trace.facts.mask_token_id == mask
    assert codes(trace) == [NoticeCode.DECISIONS_INFERRED]
    assert "Inferred: what was decided" in words(trace)
    assert trace.facts.settings["watched"]["shift_is"] == "inferred"
    assert {"temperature"} <= {*trace.facts.absent}
    assert dv.check_conformance(trace).ok
    assert dv.diagnose(trace).findings == ()


@pytest.mark.parametrize(
    "how", [{}, {"block": 4}, {"temperature": 1.0}, {"at_random": True, "block": 6}, {"a_step": 5, "length": 13}]
)
@pytest.mark.parametrize("rows", [1, 3])
def test_whole_sequences(rows, how):
    model = TinyDenoiser()
    ids, mask = prompts(rows)
    notes, output, recording = recorded(
        model, lambda notes: llada(model, ids, notes, attention_mask=mask, **how), mask_token_id=MASK
    )
    trace = recording.trace
    as_noted(trace, notes, output, ids.shape[1], drafts="temperature" not in how)
    assert (trace.prompt_mask == (mask > 0).numpy()).all()
    assert trace.facts.settings["watched"]["logits_shifted_by"] == 0


@pytest.mark.parametrize("rows", [1, 3])
def test_of_a_guided_loop_the_half_with_the_prompt_counts_and_the_mixture_is_not_shown(rows):
    model = TinyDenoiser()
    ids, mask = prompts(rows)
    notes, output, recording = recorded(
        model, lambda notes: llada(model, ids, notes, scale=2.0, attention_mask=mask), mask_token_id=MASK, result=True
    )
    trace = recording.trace
    as_noted(trace, notes, output, ids.shape[1], drafts=False)
    with torch.no_grad():
        alone = model(notes.noised[0], attention_mask=torch.nn.functional.pad(mask, (0, 12), value=1)).logits[:, 5:]
    assert (trace.draft[0] == alone.argmax(-1).numpy()).all()
    np.testing.assert_allclose(trace.confidence[0], alone.softmax(-1).amax(-1).numpy(), 1e-5)
    assert trace.n_samples == rows
    assert "the mixture that the loop sampled from was not seen" in words(trace)
    assert NoticeCode.GUIDANCE_NOT_SEEN in codes(trace)


def test_masks_inside_a_text_are_filled_in_and_what_was_given_stays():
    model = TinyDenoiser()
    text = torch.randint(5, MASK, (3, 20), generator=torch.Generator().manual_seed(4))
    for row, places in enumerate([[3, 4, 9, 15], [6, 7, 8], [4, 19]]):
        text[row, places] = MASK
    notes, output, recording = recorded(
        model, lambda notes: infilled(model, text, notes), mask_token_id=MASK, result=True
    )
    trace = recording.trace
    as_noted(trace, notes, output, 3)
    given = (text[:, 3:] != MASK).numpy()
    assert (trace.decision[:, given] == Decision.KEPT).all()
    assert (trace.prompt == text[:, :3].numpy()).all()


def test_what_the_last_pass_decided_is_unknown_where_nothing_reads_it():
    model = TinyDenoiser()
    text = torch.full((1, 9), 7)
    text[0, 2:8] = MASK
    notes, _, recording = recorded(model, lambda notes: infilled(model, text, notes), mask_token_id=MASK)
    trace = recording.trace
    assert trace.n_steps == len(notes.noised) == 3
    assert trace.decided[:, 0].tolist() == [True, True, False]
    assert trace.facts.status == "interrupted"
    assert len(trace.emitted) == 0
    assert "recording.result(ids)" in words(trace)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_longer_prompt_reaches_into_the_canvas_of_a_shorter_one(rows):
    model = TinyDenoiser()
    x = torch.full((rows, 16), MASK)
    for row in range(rows):
        x[row, : 4 + row], x[row, 15:] = 8 + row, EOS
    notes, output, recording = recorded(model, lambda notes: infilled(model, x, notes), mask_token_id=MASK, result=True)
    as_noted(recording.trace, notes, output, 4)


# -- Dream -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["origin", "maskgit_plus", "topk_margin", "entropy"])
@pytest.mark.parametrize("rows", [1, 3])
def test_logits_shifted_by_one_are_found_out(rows, alg):
    model = Dreamer()
    ids, mask = prompts(rows)
    notes, output, recording = recorded(
        model, lambda notes: model.diffusion_generate(ids, notes, alg=alg, attention_mask=mask), mask_token_id=MASK
    )
    trace = recording.trace
    as_noted(trace, notes, output, ids.shape[1], drafts=alg != "origin")
    watched = trace.facts.settings["watched"]
    assert (watched["logits_shifted_by"], watched["shift_is"]) == (1, "inferred")
    assert watched["end_known_from"] == "the call's result"
    assert "of the row before it (logits shifted by one): inferred, of" in words(trace)


def test_what_a_hook_of_the_loop_does_is_seen_as_what_it_is():
    model = Dreamer()
    ids, _ = prompts()

    def edit(step, x):
        x = x.clone()
        if step == 2:
            x[0, 6], x[0, 7] = 30, MASK
        return x

    notes, output, recording = recorded(
        model, lambda notes: model.diffusion_generate(ids, notes, alg="entropy", edit=edit), mask_token_id=MASK
    )
    trace = recording.trace
    as_noted(trace, notes, output, ids.shape[1], drafts=False)
    assert trace.candidate[2, 0, 1] == 30
    assert trace.decision[2, 0, 2] == Decision.NOISE
