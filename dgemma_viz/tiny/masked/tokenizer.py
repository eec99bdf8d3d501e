"""The tokenizer of the bundled mask-token model: that of the bundled DiffusionGemma with ``<mask>`` appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.tiny.tokenizer import build_tokenizer
from dgemma_viz.tiny.vocabulary import vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MASK = "<mask>"
MASK_ID = len(vocabulary())
"""Its id: the first one free, so that every other token has the id that it has in the bundled DiffusionGemma."""


def build_masked_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer; chat template, padding side and all other ids are those of the bundled DiffusionGemma."""
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"mask_token": MASK})
    return tokenizer
