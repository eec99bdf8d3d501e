"""From prompts to the token ids that a model reads: through the chat template, where the tokenizer has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dgemma_viz.errors import PromptError


def encode(tokenizer: Any, prompt: str | Sequence[str]) -> Mapping[str, Any]:
    """``input_ids`` and ``attention_mask``, int64 ``(B, P)`` each; several prompts are padded on the left.

    Raises
    ------
    PromptError
        There is no prompt, one is empty, or one has characters that the tokenizer does not know.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        raise PromptError("there is no prompt; give one, or a list with at least one")
    for text in prompts:
        _check(tokenizer, text)
    if getattr(tokenizer, "chat_template", None) is None:
        from dgemma_viz.tiny import encode_prompt

        return encode_prompt(tokenizer, prompts)
    chats = [[{"role": "user", "content": text}] for text in prompts]
    encoded: Mapping[str, Any] = tokenizer.apply_chat_template(
        chats,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        padding=True,
        tokenizer_kwargs={"padding_side": "left"},
    )
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}


def _check(tokenizer: Any, text: str) -> None:
    if not text.strip():
        raise PromptError("the prompt is empty; write one, or take one of the task's examples")
    if getattr(tokenizer, "is_fast", False) and getattr(tokenizer, "unk_token_id", None) is not None:
        from dgemma_viz.tiny.tokenizer import unknown_parts

        if unknown := unknown_parts(tokenizer, text):
            raise PromptError(
                f"the tokenizer does not know {', '.join(map(repr, unknown))} in {text!r}; "
                "use only the characters and words that the tasks' examples use"
            )
