"""The tokenizer of the bundled mask-token model: that of the bundled DiffusionGemma, which says what masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.vocabulary import MASK

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def build_masked_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer; chat template, padding side and all ids are those of the bundled DiffusionGemma."""
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"mask_token": MASK})
    return tokenizer
