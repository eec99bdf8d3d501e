"""Several questions in one pass get what each gets when it is asked alone."""

from dataclasses import asdict, replace

import torch
from torch.nn.functional import cross_entropy
from transformers import DynamicCache

from dgemma_viz.tiny.architecture import fresh_model
from dgemma_viz.tiny.batches import Draw
from dgemma_viz.tiny.courses import COURSES
from dgemma_viz.tiny.experts import use_dense_experts
from dgemma_viz.tiny.interviews import interview_losses, make_interviews
from dgemma_viz.tiny.tasks import TASKS, is_held_out
from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.vocabulary import EOS_ID, PAD_ID
from dgemma_viz.upstream.transformers import CACHE

PHASES = COURSES["diffusion"].schedule.every_phase
INTERVIEWS = next(bucket for phase in PHASES for bucket in phase.buckets if bucket.questions)


def _batch(bucket, step=0):
    made = make_interviews(bucket, build_tokenizer(), Draw(seed=5, step=step, index=1))
    return {name: torch.from_numpy(array) for name, array in asdict(made).items()}


def test_questions_in_one_pass_cost_what_they_cost_alone():
    bucket = replace(INTERVIEWS, examples=2)
    torch.manual_seed(0)
    model = fresh_model().eval()
    use_dense_experts(model)
    batch = _batch(bucket)
    with torch.no_grad():
        together = interview_losses(model, batch, bucket)
        alone = [
            _losses_alone(model, batch, bucket, row, index) for row in range(2) for index in range(bucket.questions)
        ]
    for name, mean in together.items():
        torch.testing.assert_close(mean, torch.cat([losses[name] for losses in alone]).mean(), atol=1e-4, rtol=1e-4)


def _losses_alone(model, batch, bucket, row, index):
    """Per token, as upstream computes them of one unpadded prompt. Row 0 of two is the one that is self-conditioned."""
    first = bucket.prompt_length + index * bucket.answer_length
    columns = slice(first, first + bucket.answer_length)
    story = batch["tokens"][row, : bucket.prompt_length]
    question = batch["tokens"][row, columns][: batch["asked"][row, index]]
    answer = batch["tokens"][row, columns][batch["supervised"][row, columns]]
    prompt = torch.cat([story[story != PAD_ID], question])[None]
    read = model.model.encoder(input_ids=torch.cat([prompt[0], answer])[None]).last_hidden_state
    cap = model.config.text_config.final_logit_softcapping
    next_token = cap * torch.tanh(model.lm_head(read[0, prompt.shape[1] - 1 : -1]) / cap)

    cache = DynamicCache(config=model.config.text_config)
    model.model.encoder(input_ids=prompt, **{CACHE: cache})
    canvas = slice(index * bucket.canvas_length, (index + 1) * bucket.canvas_length)
    seen = {CACHE: cache, "decoder_input_ids": batch["noised"][row, canvas][None]}
    drafts = model(**seen).logits
    if row == 0:
        drafts = model(**seen, self_conditioning_logits=drafts).logits
    return {
        "next token": cross_entropy(next_token, answer, reduction="none"),
        "denoising": cross_entropy(drafts[0], batch["clean"][row, canvas], reduction="none"),
    }


def test_no_interview_asks_what_is_held_out_or_outgrows_its_columns():
    tokenizer = build_tokenizer()
    batch = _batch(replace(INTERVIEWS, examples=64))
    asked = 0
    blocks = batch["tokens"][:, INTERVIEWS.prompt_length :].reshape(64, INTERVIEWS.questions, -1)
    assert ((blocks == EOS_ID).sum(-1) == 1).all()
    canvases = batch["clean"].reshape(64, INTERVIEWS.questions, -1)
    assert (canvases[..., -1] == EOS_ID).all()
    for row, questions in zip(batch["tokens"], batch["asked"], strict=True):
        story = row[: INTERVIEWS.prompt_length]
        for index, length in enumerate(questions):
            first = INTERVIEWS.prompt_length + index * INTERVIEWS.answer_length
            prompt = tokenizer.decode(torch.cat([story[story != PAD_ID], row[first : first + length]])).removeprefix(
                "<bos>"
            )
            TASKS["story"].validate_prompt(prompt)
            assert not is_held_out(TASKS["story"], prompt)
            asked += 1
    assert asked == 64 * INTERVIEWS.questions
