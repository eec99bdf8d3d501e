"""Traces of the released model's size without the model: 262,144 tokens, canvases of 256 positions, 48 steps, 8 best.

The numbers behave as a run's do: uncertainty falls position by position, the entropy bound accepts, what it does not
accept gets noise that is uniform over the vocabulary, and alternatives come from a vocabulary in which few tokens are
frequent. So a canvas holds thousands of different tokens, as a recorded one does. Every rule of the released sampler
is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.trace.model import RunFacts, Trace
from tests.synthetic import accept

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

VOCABULARY, POSITIONS, STEPS, TOP_K = 262_144, 256, 48, 8
_BOUND, _T_MIN, _T_MAX = 0.1, 0.4, 0.8
_SPECIAL = 8
"""Ids below are special tokens; noise may hit them, drafts do not."""
_SYLLABLES = [consonant + vowel for consonant in ("", *"bdfghklmnprstvz") for vowel in "aeiou"]


def released_size_trace(canvases: int, seed: int = 0) -> Trace:
    """One sample, ``canvases`` canvases, each denoised for all 48 steps."""
    rng = np.random.default_rng(seed)
    arrays = [_denoise(rng) for _ in range(canvases)]
    joined = {name: np.concatenate([canvas[name] for canvas in arrays]) for name in arrays[0]}
    steps, ones = canvases * STEPS, np.ones((canvases * STEPS, 1), dtype=bool)
    emitted = joined["draft"][STEPS - 1 :: STEPS]
    prompt = _frequent(rng, (1, 24))
    seen = np.unique(np.concatenate([joined[n].ravel() for n in ("noised", "candidate", "top_k_ids")] + [prompt[0]]))
    return Trace(
        **joined,
        canvas=np.repeat(np.arange(canvases), STEPS),
        step_in_canvas=np.tile(np.arange(STEPS), canvases),
        active=ones,
        finished=~ones,
        entropy_bound=np.full(steps, _BOUND, dtype=np.float32),
        wall_time=np.cumsum(rng.uniform(0.01, 0.02, steps)),
        emitted=emitted,
        past_end=np.zeros((canvases, 1), dtype=bool),
        prompt=prompt,
        prompt_mask=np.ones(prompt.shape, dtype=bool),
        facts=_facts(canvases, seed),
        token_texts={token: _text(token) for token in seen.tolist()},
    )


def _facts(canvases: int, seed: int) -> RunFacts:
    return RunFacts(
        model_id="synthetic, of the released size",
        sampler="EntropyBoundSampler",
        settings={
            "max_denoising_steps": STEPS,
            "max_new_tokens": canvases * POSITIONS,
            "entropy_bound": _BOUND,
            "t_min": _T_MIN,
            "t_max": _T_MAX,
            "stability_threshold": 1,
            "confidence_threshold": 0.005,
        },
        vocab_size=VOCABULARY,
        eos_token_ids=(1,),
        pad_token_id=0,
        seed=seed,
    )


def _denoise(rng: np.random.Generator) -> dict[str, Array]:
    """Per-step arrays ``(T, 1, C, ...)`` of one canvas."""
    steps = np.arange(STEPS)[:, None]
    turn = rng.uniform(0, 44, POSITIONS) * np.linspace(0.5, 1, POSITIONS)
    turn[rng.choice(POSITIONS, POSITIONS // 16, replace=False)] = STEPS + 8  # these stay uncertain to the end
    settled = 1 / (1 + np.exp(-0.7 * (steps - turn + rng.normal(0, 1.5, (STEPS, POSITIONS)))))
    best = np.minimum(0.08 + 0.92 * settled, 1 - 1e-6)
    # Geometric: each next token has the same share of what is left.
    probabilities = best[..., None] * (1 - best[..., None]) ** np.arange(TOP_K)
    entropy = (-np.log(best) - (1 - best) / best * np.log(1 - best)).astype(np.float32)
    ids = _alternatives(rng, settled)
    rank = (probabilities.cumsum(axis=-1) < rng.random((STEPS, POSITIONS, 1))).sum(axis=-1)
    kept = np.minimum(rank, TOP_K - 1)[..., None]
    candidate = np.take_along_axis(ids, kept, -1)[..., 0]
    candidate_probability = np.take_along_axis(probabilities, kept, -1)[..., 0]
    outside = rank == TOP_K
    candidate[outside] = rng.integers(_SPECIAL, VOCABULARY, int(outside.sum()))
    candidate_probability[outside] = (best * (1 - best) ** TOP_K)[outside]
    accepted = accept(entropy, _BOUND)
    noise = rng.integers(0, VOCABULARY, (STEPS + 1, POSITIONS))
    noised = np.concatenate([noise[:1], np.where(accepted, candidate, noise[1:])[:-1]])
    spent = np.where(accepted, entropy, 0)
    draft = ids[..., 0]
    same = np.concatenate([[False], (draft[1:] == draft[:-1]).all(axis=-1)])
    one_sample = {
        "noised": noised,
        "candidate": candidate,
        "draft": draft,
        "accepted": accepted,
        "entropy": entropy,
        "confidence": probabilities[..., 0],
        "candidate_probability": candidate_probability,
        "top_k_ids": ids,
        "top_k_probabilities": probabilities,
        "entropy_spent": spent.sum(axis=-1) - spent.max(axis=-1),
        "mean_entropy": entropy.mean(axis=-1),
        "stable_steps": same.astype(np.int32),
    }
    temperature = _T_MIN + (_T_MAX - _T_MIN) * (STEPS - np.arange(STEPS)) / STEPS
    return {name: values[:, None] for name, values in one_sample.items()} | {"temperature": temperature}


def _alternatives(rng: np.random.Generator, settled: Array) -> Array:
    """Ids of the best tokens ``(T, C, K)``: most stay from step to step, those of unsettled positions change."""
    ids = np.empty((STEPS, POSITIONS, TOP_K), dtype=np.int32)
    for step in range(STEPS):
        fresh = rng.random((POSITIONS, TOP_K)) < (0.25 * (1 - settled[step, :, None]) if step else 1)
        ids[step] = np.where(fresh, _frequent(rng, fresh.shape), ids[step - 1])
        order = np.argsort(ids[step], axis=-1)
        twice = np.diff(np.take_along_axis(ids[step], order, -1), axis=-1) == 0
        for position, place in np.argwhere(twice):  # alternatives differ from one another
            ids[step, position, order[position, place]] = rng.integers(_SPECIAL, VOCABULARY)
    return ids


def _frequent(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Token ids of which low ones are frequent: their logarithms are uniform."""
    return np.floor(np.exp(rng.uniform(np.log(_SPECIAL), np.log(VOCABULARY), shape))).astype(np.int32)


def _text(token: int) -> str:
    """A word of one to six syllables, most with a space before it."""
    number, syllables = token, []
    while number or not syllables:
        number, index = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[index])
    return ("" if token % 4 == 0 else " ") + "".join(syllables)
