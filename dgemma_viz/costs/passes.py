"""What one decoder pass reads and computes, term by term.

Bytes of weights: ``p * (dense + experts * E(n) / 128)`` for ``n`` tokens, with ``E`` the distinct experts touched. The
head is read in BF16. A canvas pass also reads the embedding for its soft tokens (self-conditioning) and goes over its
FP32 logits a few times. Activations are left out: they stay in caches.
"""

from __future__ import annotations

from dataclasses import dataclass

from dgemma_viz.costs.shape import ModelShape
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range

_BF16, _FP32 = 2, 4
SAMPLER_PASSES = 6
"""Times that a denoising step goes over its logits: temperature, softmax (2), draw, argmax, entropy (read from TF)."""


@dataclass(frozen=True)
class Term:
    """One summand.

    Attributes
    ----------
    name
        What is read or computed.
    value
        Bytes or FLOPs.
    formula
        In words.
    source
        Where it comes from.
    """

    name: str
    value: float
    formula: str
    source: str


@dataclass(frozen=True)
class Pass:
    """One decoder pass: its tokens, what it reads, what it computes."""

    tokens: int
    reads: tuple[Term, ...]
    computes: tuple[Term, ...]

    @property
    def bytes(self) -> float:
        """All that is read."""
        return sum(term.value for term in self.reads)

    @property
    def flops(self) -> float:
        """All that is computed."""
        return sum(term.value for term in self.computes)


def decode_pass(shape: ModelShape, weights: WeightFormat, *, batch: int = 1, context: float = 0) -> Pass:
    """One token for each of ``batch`` sequences that hold ``context`` tokens."""
    return _pass(shape, weights, checked_range("a batch", batch, 1, whole=True), batch, context)


def verify_pass(shape: ModelShape, weights: WeightFormat, *, drafted: int, batch: int = 1, context: float = 0) -> Pass:
    """``drafted`` tokens and one more for each sequence, in one pass: what speculative decoding verifies."""
    tokens = checked_range("a batch", batch, 1, whole=True) * (
        checked_range("drafted tokens", drafted, 1, whole=True) + 1
    )
    return _pass(shape, weights, tokens, batch, context)


def canvas_pass(
    shape: ModelShape,
    weights: WeightFormat,
    *,
    batch: int = 1,
    context: float = 0,
    sampler_passes: float = SAMPLER_PASSES,
) -> Pass:
    """One denoising step of one canvas for each sequence."""
    tokens = checked_range("a batch", batch, 1, whole=True) * shape.canvas
    plain = _pass(shape, weights, tokens, batch, context)
    over_logits = checked_range("sampler passes", sampler_passes)
    logits = tokens * shape.vocabulary * _FP32
    reads = (
        Term("soft embedding", shape.head_weights * _BF16, "embedding, BF16, mixed for self-conditioning", "TF"),
        Term("sampler", over_logits * logits, f"{over_logits:g} times over the FP32 logits", "TF, calc"),
    )
    mixing = Term("soft embedding", 2 * shape.head_weights * tokens, "2 * vocabulary * width, per token", "TF, calc")
    return Pass(tokens, plain.reads + reads, (*plain.computes, mixing))


def _pass(shape: ModelShape, weights: WeightFormat, tokens: int, batch: int, context: float) -> Pass:
    size, touched = weights.bytes_per_weight, shape.distinct_experts(tokens)
    share = touched / shape.experts
    reads = (
        Term("dense weights", size * shape.dense_weights, f"{size:g} bytes a weight", "G, calc"),
        Term(
            "experts",
            size * shape.expert_weights * share,
            f"{touched:.1f} of {shape.experts} experts a layer, touched by {tokens} tokens",
            "G, calc",
        ),
        Term("head", shape.head_weights * _BF16, "vocabulary * width, BF16", "G"),
        Term("key-value cache", batch * shape.cache_bytes(context), f"{batch} * {context:g} tokens, BF16", "G, calc"),
    )
    flops = shape.flops_per_token * tokens
    computes = (Term("layers and head", flops, f"{shape.flops_per_token:.3g} FLOPs a token", "calc"),)
    return Pass(tokens, reads, computes)
