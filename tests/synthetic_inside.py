"""An inside of made-up numbers, in any size, without a model."""

import numpy as np

from dgemma_viz.trace.inside import Attention, Experts, Inside, InsideFacts, Lens, SelfConditioning, Variants


def synthetic_inside(layers=3, positions=6, context=4, vocabulary=50, heads=1, experts=4, seed=0):
    """All parts of it; two padding tokens in front, and positions of every origin."""
    random = np.random.default_rng(seed)

    def lens(n):
        ids = random.integers(0, vocabulary, (layers + 1, n, 3))
        shares = random.dirichlet(np.ones(8), (layers + 1, n))[:, :, :3]
        apart = random.exponential(size=(layers + 1, n))
        return Lens(np.arange(layers + 1), ids, shares, random.exponential(size=(layers + 1, n)), apart)

    mask = np.arange(context) >= min(2, context)
    allowed = np.concatenate([mask, np.ones(positions, dtype=bool)])
    weight = random.random((layers, heads, positions, context + positions)) * allowed
    drop = {"kind": "DropSelfConditioning", "canvas": 0, "step": 1, "sample": None, "steps": 1}
    of_positions = random.random((1, positions))
    return Inside(
        context=random.integers(0, vocabulary, context),
        context_mask=mask,
        noised=random.integers(0, vocabulary, positions),
        origin=np.arange(positions) % 3,
        draft=random.integers(0, vocabulary, positions),
        entropy=random.random(positions),
        confidence=random.random(positions),
        facts=InsideFacts(
            canvas=0, step=1, agreement="identical", experts=experts, heads=heads, variants=(drop,), temperature=0.5
        ),
        lens=lens(positions),
        encoder_lens=lens(context) if context else None,
        attention=Attention(
            np.arange(layers),
            np.arange(heads) if heads > 1 else [-1],
            np.zeros(layers),
            weight / weight.sum(axis=-1, keepdims=True),
        ),
        experts=Experts(
            np.arange(layers),
            np.argsort(random.random((layers, positions, experts)), axis=-1)[:, :, :2],
            random.random((layers, positions, 2)),
            random.random((layers, positions)),
        ),
        self_conditioning=SelfConditioning(
            random.random(positions), random.integers(0, vocabulary, (positions, 5)), np.full((positions, 5), 0.2)
        ),
        variants=Variants(np.zeros((1, positions)), of_positions, of_positions, of_positions),
        token_texts={token: f"t{token}" for token in range(0, vocabulary, 2)},
    )
