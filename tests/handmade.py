"""Small traces written out by hand: what every step drafted, word by word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dgemma_viz.trace import Decision
from tests.synthetic import synthetic_trace

PAD, END = "<pad>", "<eos>"
MASK = "[M]"


def handmade_trace(*canvases, seed=0, status="complete", confidence=None, second=None, prompt="say it", words=()):
    """Build a trace of one sample from words.

    ``canvases`` are lists of drafts, one text a step, tokens separated by spaces (``a b <eos>``); the last draft of a
    canvas is emitted, and every candidate is the draft and accepted. With another ``status`` the last canvas is not
    emitted. ``confidence`` holds one number per step and position of all canvases. ``second`` is the runner-up token,
    with half the probability that is left. ``words`` are more words of the vocabulary.
    """
    rows = [[draft.split() for draft in drafts] for drafts in canvases]
    known = {word for drafts in rows for draft in drafts for word in draft} | {second or END, *words}
    texts = [PAD, END, *sorted(known - {PAD, END})]
    ids = [np.array([[texts.index(word) for word in draft] for draft in drafts]) for drafts in rows]
    steps = [[len(drafts)] for drafts in rows]
    base = synthetic_trace(canvases=len(rows), length=ids[0].shape[1], steps=steps, texts=texts, seed=seed)
    draft = np.concatenate(ids)[:, None]
    runner_up = np.full_like(draft, texts.index(second or END))
    sure = np.full(draft.shape, 0.75) if confidence is None else np.reshape(confidence, draft.shape)
    emitted = np.stack([drafts[-1] for drafts in ids])[:, None]
    emitted_canvases = len(rows) - (status != "complete")
    arrays = {
        "draft": draft,
        "candidate": draft,
        "accepted": np.ones(draft.shape, dtype=bool),
        "decision": None,
        "confidence": sure,
        "candidate_probability": sure,
        "top_k_ids": np.stack([draft, runner_up], axis=-1),
        "top_k_probabilities": np.stack([sure, (1 - sure) / 2], axis=-1),
        "emitted": emitted[:emitted_canvases],
        "past_end": base.past_end[:emitted_canvases],
    }
    return replace(base, **arrays, facts=replace(base.facts, status=status, seed=seed, task={"prompt": prompt}))


def masked_trace(read, drafts, **others):
    """Build a mask-token run of one canvas, as an own loop records it: what each step read, and what it drafted.

    One row of words a step; ``.`` is the mask. ``read`` has one row more, which is emitted. What held a token before a
    step was kept, what got one was accepted.
    """
    rows = [row.replace(".", MASK).split() for row in read]
    trace = handmade_trace(drafts, words={word for row in rows for word in row}, **others)
    ids = {text: token for token, text in trace.token_texts.items()}
    canvas = np.array([[ids[word] for word in row] for row in rows])[:, None]
    before, after = canvas[:-1] != ids[MASK], canvas[1:] != ids[MASK]
    decision = np.where(before & after, Decision.KEPT, np.where(after, Decision.ACCEPTED, Decision.NOISE))
    return replace(
        trace,
        noised=canvas[:-1],
        decision=decision,
        accepted=decision != Decision.NOISE,
        emitted=canvas[-1:],
        entropy_bound=np.full(len(drafts), np.nan),
        facts=replace(trace.facts, sampler="LLaDA", settings={}, mask_token_id=ids[MASK]),
    )
