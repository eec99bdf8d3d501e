"""The shape of the bundled drafter: a causal model of one layer, which is fast because it is small."""

from __future__ import annotations

from dgemma_viz.tiny.vocabulary import BOS_ID, EOS_ID, PAD_ID, vocabulary
from dgemma_viz.upstream.transformers import LlamaConfig, LlamaForCausalLM

_WIDTH = 96


def fresh_drafter() -> LlamaForCausalLM:
    """Make an untrained drafter from torch's current random state."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary()),
            hidden_size=_WIDTH,
            intermediate_size=3 * _WIDTH,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            initializer_range=_WIDTH**-0.5,
            pad_token_id=PAD_ID,
            bos_token_id=BOS_ID,
            eos_token_id=EOS_ID,
        )
    )
