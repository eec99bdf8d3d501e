"""A DiffusionGemma as the autoregressive model that it also is: same weights, transformers' own ``generate()``.

The encoder is causal, and the head that it shares with the decoder was trained on its next-token predictions as well
(upstream's recipe adds that loss with weight 1). So the class below is nothing but encoder and head under the interface
that ``GenerationMixin`` wants: greedy and sampled decoding, batches, and assisted generation are all transformers'.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, GenerationMixin, PreTrainedModel

from dgemma_viz.upstream.transformers import CACHE, CausalLMOutputWithPast, name_or_path, set_name

if TYPE_CHECKING:
    from transformers import Cache


class CausalDiffusionGemma(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """Encoder and head of a ``DiffusionGemmaForBlockDiffusion``, sharing its parameters; see :func:`as_causal`."""

    base_model_prefix = "model"
    main_input_name = "input_ids"

    def __init__(self, model: Any) -> None:
        # PreTrainedModel's own would choose attention and expert kernels anew, in a config that is not ours.
        torch.nn.Module.__init__(self)
        self.config = copy.deepcopy(model.config.text_config)
        set_name(self.config, name_or_path(model.config))
        self.model, self.lm_head = model.model.encoder, model.lm_head
        known = model.generation_config
        self.generation_config = GenerationConfig(
            bos_token_id=known.bos_token_id,
            eos_token_id=known.eos_token_id,
            pad_token_id=known.pad_token_id,
            max_new_tokens=known.max_new_tokens,
        )

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: Cache | None = None,
        logits_to_keep: int = 0,
        *,
        past_key_values: Cache | None = None,
        **_ignored: Any,
    ) -> CausalLMOutputWithPast:
        """Next-token logits, soft-capped like the decoder's, ``(B, n, V)`` in float32.

        Parameters
        ----------
        cache, past_key_values
            The key-value cache, as transformers from 5.24 on calls it, and before.
        logits_to_keep
            Only for so many of the last tokens; for all if 0.
        """
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            **{CACHE: past_key_values if cache is None else cache},
        )
        logits = self.lm_head(output.last_hidden_state[:, -logits_to_keep:]).float()
        cap = self.config.final_logit_softcapping
        if cap:
            logits = torch.tanh(logits / cap) * cap
        return CausalLMOutputWithPast(logits=logits, **{CACHE: getattr(output, CACHE)})
