"""The shape of the bundled mask-token model: a small ModernBERT, used as the denoiser of a masked diffusion model.

``LLaDA2Pipeline`` wants a model that reads ``input_ids``, ``attention_mask`` and ``position_ids`` and returns logits,
and that sees the whole window in both directions. ``ModernBertForMaskedLM`` of transformers is just that, so no
modelling code of our own is needed. All layers attend to everything, as in LLaDA (arXiv 2502.09992, section 2.2); like
there, the model is not told the mask ratio.
"""

from __future__ import annotations

from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, PAD_ID, vocabulary
from dgemma_viz.upstream.transformers import ModernBertConfig, ModernBertForMaskedLM

BLOCK_LENGTH = 32
"""Default block of ``BlockRefinementScheduler``; the weights were trained for blocks of 16 as well."""

_WIDTH = 144
_LAYERS = 5


def masked_config() -> ModernBertConfig:
    """Return the configuration: 1.07 M parameters."""
    return ModernBertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=_LAYERS,
        layer_types=["full_attention"] * _LAYERS,
        num_attention_heads=4,
        max_position_embeddings=1024,
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        bos_token_id=BOS_ID,
        cls_token_id=BOS_ID,
        sep_token_id=EOS_ID,
    )


def fresh_masked_model() -> ModernBertForMaskedLM:
    """Make an untrained model from torch's current random state."""
    return ModernBertForMaskedLM(masked_config())
