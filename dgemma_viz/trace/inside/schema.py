"""Names, axes and dtypes of everything that an :class:`~dgemma_viz.trace.inside.model.Inside` holds.

Axes of an inside
-----------------
``C``  positions that were looked at: those of the canvas, or all tokens of a pass that has no canvas
``P``  tokens in front of them that they can read: the prompt with its padding, and earlier canvases; 0 without a canvas
``X``  tokens that can be read, ``P + C``: those in front, then those that were looked at
``D``  depths: 0 is what enters the first layer, ``d`` what layer ``d - 1`` gives on (layers count from 0)
``L``  layers that were looked at
``H``  attention heads; one where they were averaged
``K``  alternatives kept, most probable first
``A``  experts that a token goes through
``M``  tokens of the self-conditioning kept, most probable first
``V``  variants of the pass

Arrays of one kind are a *part*, which was asked for or not. Probabilities are softmax of the head's logits after the
final norm and the soft-cap, divided by the step's temperature; what logits processors rule out is not taken out.
Floats are kept in 16 bits: three digits.
"""

from __future__ import annotations

from collections.abc import Mapping

from dgemma_viz.trace.schema import ArraySpec

SCHEMA_VERSION = 1
"""Of a file; raised as that of traces is, see :mod:`dgemma_viz.trace.schema`."""

OF_THE_PASS: Mapping[str, ArraySpec] = {
    "context": ArraySpec("P", "int32", "measured", "token ids in front of the positions"),
    "context_mask": ArraySpec("P", "bool", "measured", "which of them are real (false: padding)"),
    "noised": ArraySpec("C", "int32", "measured", "token ids that the pass read"),
    "origin": ArraySpec("C", "uint8", "measured", "what the pass found at a position: Origin"),
    "draft": ArraySpec("C", "int32", "measured", "argmax of the pass's own logits"),
    "entropy": ArraySpec("C", "float32", "measured", "entropy of its distribution, nats"),
    "confidence": ArraySpec("C", "float32", "measured", "probability of that draft"),
}
LENS: Mapping[str, ArraySpec] = {
    "depth": ArraySpec("D", "int32", "measured", "layers passed"),
    "ids": ArraySpec("DCK", "int32", "measured", "most probable tokens if the model stopped there"),
    "probability": ArraySpec("DCK", "float16", "measured", "their probabilities"),
    "entropy": ArraySpec("DC", "float16", "measured", "entropy if the model stopped there, nats"),
    "divergence": ArraySpec("DC", "float16", "measured", "KL from the last depth's distribution to this one's, nats"),
}
ATTENTION: Mapping[str, ArraySpec] = {
    "layer": ArraySpec("L", "int32", "measured", "layer, from 0"),
    "head": ArraySpec("H", "int32", "measured", "head, from 0; -1: the mean over all"),
    "first_key": ArraySpec("L", "int32", "measured", "first token in front that the layer still holds in its cache"),
    "weight": ArraySpec("LHCX", "float16", "measured", "share of its attention with which a position reads a token"),
}
EXPERTS: Mapping[str, ArraySpec] = {
    "layer": ArraySpec("L", "int32", "measured", "layer, from 0"),
    "chosen": ArraySpec("LCA", "uint16", "measured", "experts that the position went through"),
    "weight": ArraySpec("LCA", "float16", "measured", "with which factor each counted"),
    "entropy": ArraySpec("LC", "float16", "measured", "of the router's distribution over all experts, nats"),
}
SELF_CONDITIONING: Mapping[str, ArraySpec] = {
    "entropy": ArraySpec("C", "float16", "measured", "of what the step before handed over, nats"),
    "ids": ArraySpec("CM", "int32", "measured", "tokens whose embeddings it mixes, the greatest share first"),
    "probability": ArraySpec("CM", "float16", "measured", "their shares"),
}
VARIANTS: Mapping[str, ArraySpec] = {
    "draft": ArraySpec("VC", "int32", "measured", "argmax of the changed pass"),
    "confidence": ArraySpec("VC", "float16", "measured", "probability of that draft"),
    "entropy": ArraySpec("VC", "float16", "measured", "entropy of the changed pass, nats"),
    "divergence": ArraySpec("VC", "float16", "measured", "KL from the pass's distribution to the changed one's, nats"),
}

PARTS: Mapping[str, Mapping[str, ArraySpec]] = {
    "lens": LENS,
    "encoder_lens": LENS,
    "attention": ATTENTION,
    "experts": EXPERTS,
    "self_conditioning": SELF_CONDITIONING,
    "variants": VARIANTS,
}
"""Parts by name. ``encoder_lens`` is over the tokens in front: its ``C`` is ``P``."""

TOKENS = ("context", "noised", "draft", "ids")
"""Arrays that hold token ids, in whichever part."""
