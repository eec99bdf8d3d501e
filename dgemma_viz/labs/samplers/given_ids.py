"""A processor for diffusers' ``DiffusionGemmaPipeline`` that gives it token ids which are there already.

The pipeline takes prompts as text only, encodes them itself and cannot pad a batch. With this in the processor's place
it reads the same ids, padded on the left, that ``generate()`` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class GivenIds:
    """Stands for the processor; ``tokenizer`` is the real one, from which the pipeline takes the end-of-sequence id."""

    def __init__(self, tokenizer: Any, inputs: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        self._inputs = dict(inputs)

    def apply_chat_template(self, *_messages: Any, **_options: Any) -> dict[str, Any]:
        """``input_ids`` and ``attention_mask``, whatever the messages say."""
        return dict(self._inputs)

    def batch_decode(self, *sequences: Any, **options: Any) -> Any:
        """The tokenizer's."""
        return self.tokenizer.batch_decode(*sequences, **options)
