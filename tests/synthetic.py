"""Plausible traces without a model: for tests and for trying out figures. Numpy only.

The simulation keeps every rule of a recorded trace: candidates are drawn from the distribution whose entropy is stored,
the draft is its argmax and heads the alternatives, positions are accepted by the entropy bound exactly as
transformers' ``EntropyBoundSampler`` does (float32, ascending entropies, ``cumsum - entropy <= bound``), accepted
positions keep their candidate in the next step's noised canvas and all others get random tokens. Confidence rises
unevenly, so drafts flip, and positions once accepted are re-noised again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.schema import ARRAYS, TOKEN_ARRAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

PAD, EOS = 0, 1

WORDS = (
    "<pad> <eos> the cat sat on a mat . , Mia has found two red blue green balls and gave one to Tom in her garden "
    "before lunch 0 1 2 3 4 5 6 7 8 9 + = - because it was raining they walked home slowly"
)
TEXTS = tuple(w if w[0] in "<.,0123456789" else f" {w}" for w in WORDS.split(" "))
"""Default vocabulary; most tokens carry the space before them."""

NASTY_TEXTS = (
    "<pad>",
    "<eos>",
    "<script>alert(1)</script>",
    "<b>bold</b><br>",
    '<a href="https://example.org">x</a>',
    "&amp;",
    "\n",
    "\t",
    " ",
    "",
    "a" * 300,
    "שלום",
    "\u202eevil\u202c",
    "z\u200bw",
    "\u0301",
    "%{meta[0]}",
    "$x^2$",
    "😀",
    "\x00\x1b",
    "'\"`",
    "漢字",
)


@dataclass(frozen=True)
class Sampler:
    """The simulated sampler's settings, those of the released model by default, and how many alternatives are kept."""

    entropy_bound: float = 0.1
    t_min: float = 0.4
    t_max: float = 0.8
    stability_threshold: int = 1
    confidence_threshold: float = 0.005
    top_k: int = 8


def synthetic_trace(
    *,
    canvases: int = 1,
    samples: int = 1,
    length: int | Sequence[int] = 12,
    steps: int | Sequence[Sequence[int]] = 10,
    texts: Sequence[str] = TEXTS,
    seed: int = 0,
    sampler: Sampler | None = None,
) -> Trace:
    """Build a trace.

    Parameters
    ----------
    canvases, samples, length
        Sizes ``N``, ``B``, ``C``; ``length`` of each canvas, where they differ.
    steps
        An integer: the limit of steps a canvas; the first canvas of the first sample uses it up, the others stop
        earlier. Nested, ``steps[canvas][sample]``: exactly so many active steps; 0 means that the sample had ended.
    texts
        Vocabulary: text of token ``i``. Ids 0 and 1 serve as padding and end of sequence.
    seed
        Same arguments, same trace.
    sampler
        Settings of the sampler, and how many alternatives are kept (at most the vocabulary).
    """
    rng = np.random.default_rng(seed)
    sampler = sampler or Sampler()
    counts = _active_steps(rng, canvases, samples, steps)
    limit = max(1, steps if isinstance(steps, int) else int(counts.max()))
    lengths = [length] * canvases if isinstance(length, int) else [*length]
    runs = [_Canvas(rng, sampler, size, len(texts), limit).run(row) for size, row in zip(lengths, counts, strict=True)]
    runs = [_padded(run, max(lengths)) for run in runs]
    arrays = {name: np.concatenate([run[name] for run in runs]) for name in runs[0] if name != "emitted"}
    per_canvas = [len(run["temperature"]) for run in runs]
    arrays["canvas"] = np.repeat(np.arange(canvases), per_canvas)
    arrays["length"] = np.repeat(lengths, per_canvas)
    arrays["decision"] = arrays["accepted"].astype(np.uint8)
    arrays["decision"].swapaxes(1, 2)[np.arange(max(lengths)) >= arrays["length"][:, None]] = NO_DECISION
    arrays["step_in_canvas"] = np.concatenate([np.arange(n) for n in per_canvas])
    arrays["wall_time"] = np.cumsum(rng.uniform(0.01, 0.02, sum(per_canvas)))
    arrays["emitted"] = np.stack([run["emitted"] for run in runs])
    arrays["past_end"] = counts == 0
    arrays["prompt"] = rng.integers(0, len(texts), (samples, 6))
    arrays["prompt_mask"] = np.arange(6) >= np.arange(samples)[:, None] % 3
    return Trace(
        **arrays, facts=_facts(sampler, limit, sum(lengths), len(texts), seed), token_texts=dict(enumerate(texts))
    )


def _padded(arrays: dict[str, np.ndarray], longest: int) -> dict[str, np.ndarray]:
    """Arrays of positions with nothing behind the canvas's own."""
    padded = {}
    for name, values in arrays.items():
        axis = (ARRAYS[name].axes + " ").find("C") if name != "emitted" else 1
        fill = -1 if name in TOKEN_ARRAYS else False if values.dtype == bool else np.nan
        width = [(0, longest - values.shape[axis] if place == axis else 0) for place in range(values.ndim)]
        padded[name] = np.pad(values, width, constant_values=fill) if axis > 0 else values
    return padded


def undecided(trace: Trace, *steps: int) -> Trace:
    """The same run with steps that made no decision: no candidate, no accepted set, no bound."""
    arrays = {name: getattr(trace, name).copy() for name in ("candidate", "accepted", "decision", "entropy_bound")}
    arrays |= {name: getattr(trace, name).copy() for name in ("candidate_probability", "entropy_spent")}
    nothing = {"candidate": -1, "accepted": False, "decision": NO_DECISION}
    for name, values in arrays.items():
        values[[*steps]] = nothing.get(name, np.nan)
    return replace(trace, **arrays)


def _active_steps(rng: np.random.Generator, canvases: int, samples: int, steps: int | Sequence[Sequence[int]]):
    """Active steps per canvas and sample: int ``(N, B)``."""
    if not isinstance(steps, int):
        counts = np.asarray(steps, dtype=int)
        assert counts.shape == (canvases, samples), "steps[canvas][sample] must fit canvases and samples"
        return counts
    counts = rng.integers(max(1, steps // 2), steps + 1, (canvases, samples))
    counts[0, 0] = steps
    return counts


def _facts(sampler: Sampler, limit: int, length: int, vocab_size: int, seed: int) -> RunFacts:
    return RunFacts(
        model_id="synthetic",
        model_class="SyntheticModel",
        sampler="EntropyBoundSampler",
        settings={
            "max_denoising_steps": limit,
            "max_new_tokens": length,
            "entropy_bound": sampler.entropy_bound,
            "t_min": sampler.t_min,
            "t_max": sampler.t_max,
            "stability_threshold": sampler.stability_threshold,
            "confidence_threshold": sampler.confidence_threshold,
            "cache_implementation": None,
        },
        versions={"dgemma_viz": "0", "python": "3"},
        vocab_size=vocab_size,
        eos_token_ids=(min(EOS, vocab_size - 1),),
        pad_token_id=PAD,
        seed=seed,
        device="cpu",
        dtype="float32",
        started="2026-01-01T00:00:00.000+00:00",
    )


class _Canvas:
    """Simulates the denoising of one canvas for a batch."""

    def __init__(self, rng: np.random.Generator, sampler: Sampler, length: int, vocab_size: int, limit: int) -> None:
        self.rng, self.sampler, self.limit = rng, sampler, limit
        self.length, self.vocab_size, self.top_k = length, vocab_size, min(sampler.top_k, vocab_size)

    def run(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of the schema for one canvas: per step ``(S, B, ...)``, and ``emitted`` ``(B, C)``."""
        batch, size = len(counts), (len(counts), self.length)
        target = self.rng.integers(0, self.vocab_size, size)
        rival = self.rng.integers(0, self.vocab_size, size)
        # Late positions and a few hard ones settle later.
        hard = self.rng.uniform(0, 0.5, size) + np.linspace(0, 0.3, self.length) + (self.rng.random(size) < 0.1) * 0.3
        noised = self.rng.integers(0, self.vocab_size, size)
        noise = self.rng.normal(0, 1, (*size, self.vocab_size))
        steps = []
        for step in range(max(1, int(counts.max()))):
            progress = (step + 1) / np.maximum(counts, 1)
            logits = self._logits(target, rival, hard, progress[:, None], noise)
            stop = (step + 1 >= counts) & (counts < self.limit)
            if stop.any() and steps:  # whoever stops early does so because drafts are stable and certain
                logits[stop] = steps[-1]["logits"][stop] * 8
            values = self._step(logits, noised, step)
            values["active"] = step < counts
            values["finished"] = (step + 1 >= counts) & ((counts < self.limit) | (step + 1 > counts))
            steps.append(values | {"logits": logits})
            random = self.rng.integers(0, self.vocab_size, size)
            noised = np.where(values["accepted"], values["candidate"], random)
            noise = 0.6 * noise + 0.8 * self.rng.normal(0, 1, noise.shape)
        arrays = {name: np.stack([values[name] for values in steps]) for name in steps[0] if name != "logits"}
        stable = np.zeros((len(steps), batch), dtype=np.int32)
        for step in range(1, len(steps)):
            same = (arrays["draft"][step] == arrays["draft"][step - 1]).all(axis=-1)
            stable[step] = np.where(same, stable[step - 1] + 1, 0)
        last = np.maximum(counts, 1) - 1
        emitted = arrays["draft"][last, np.arange(batch)]
        emitted[counts == 0] = PAD
        return arrays | {"stable_steps": stable, "emitted": emitted}

    def _logits(self, target, rival, hard, progress, noise) -> np.ndarray:
        """Unprocessed logits ``(B, C, V)``: the target wins over its rival as the position's turn comes."""
        turn = 1 / (1 + np.exp(-12 * (progress - hard)))
        logits = noise * (1.2 - turn)[..., None]
        rows = np.indices(target.shape)
        logits[(*rows, rival)] += 4 * (1 - turn) + 1
        logits[(*rows, target)] += 9 * turn + self.rng.normal(0, 1.2, turn.shape) * turn
        return logits

    def _step(self, logits: np.ndarray, noised: np.ndarray, step: int) -> dict[str, np.ndarray]:
        sampler = self.sampler
        temperature = sampler.t_min + (sampler.t_max - sampler.t_min) * (self.limit - step) / self.limit
        scaled = (logits / temperature).astype(np.float32)
        log_p = scaled - scaled.max(axis=-1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
        p = np.exp(log_p)
        entropy = -(p * log_p).sum(axis=-1, dtype=np.float32)
        entropy = np.maximum(entropy, np.float32(0))
        order = np.argsort(-scaled, axis=-1, kind="stable")[..., : self.top_k]
        drawn = (p.cumsum(axis=-1) < self.rng.random((*noised.shape, 1))).sum(axis=-1)
        candidate = np.minimum(drawn, self.vocab_size - 1)
        accepted = accept(entropy, sampler.entropy_bound)
        kept = np.where(accepted, entropy, 0)
        return {
            "noised": noised,
            "candidate": candidate,
            "draft": order[..., 0],
            "accepted": accepted,
            "entropy": entropy,
            "confidence": np.minimum(np.take_along_axis(p, order[..., :1], -1)[..., 0], 1),
            "candidate_probability": np.minimum(np.take_along_axis(p, candidate[..., None], -1)[..., 0], 1),
            "top_k_ids": order,
            "top_k_probabilities": np.minimum(np.take_along_axis(p, order, -1), 1),
            "temperature": np.float32(temperature),
            "entropy_bound": np.float32(sampler.entropy_bound),
            "entropy_spent": kept.sum(axis=-1) - kept.max(axis=-1),
            "mean_entropy": entropy.mean(axis=-1),
        }


def accept(entropy: np.ndarray, bound: float) -> np.ndarray:
    """Positions that the entropy bound accepts: bool, same shape as the float32 entropies ``(..., C)``."""
    order = np.argsort(entropy, axis=-1, kind="stable")
    ascending = np.take_along_axis(entropy, order, -1)
    within = np.cumsum(ascending, axis=-1, dtype=np.float32) - ascending <= bound
    accepted = np.zeros(entropy.shape, dtype=bool)
    np.put_along_axis(accepted, order, within, -1)
    return accepted
