"""Small traces written out by hand: what every step drafted, word by word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.synthetic import synthetic_trace

END = "<eos>"


def handmade_trace(*canvases, seed=0, status="complete", confidence=None, second=None, prompt="say it"):
    """Build a trace of one sample from words.

    ``canvases`` are lists of drafts, one text a step, tokens separated by spaces (``a b <eos>``); the last draft of a
    canvas is emitted, and every candidate is the draft and accepted. With another ``status`` the last canvas is not
    emitted. ``confidence`` holds one number per step and position of all canvases. ``second`` is the runner-up token,
    with half the probability that is left.
    """
    rows = [[draft.split() for draft in drafts] for drafts in canvases]
    known = sorted({word for drafts in rows for draft in drafts for word in draft} | {second or END} - {END})
    texts = ["<pad>", END, *known]
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
