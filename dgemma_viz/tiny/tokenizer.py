"""The tokenizer of the bundled model, in Hugging Face form, and a prompt encoder that refuses bad prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import PromptError
from dgemma_viz.plain_text import half_pairs
from dgemma_viz.tiny.vocabulary import BOS, BOS_ID, EOS, PAD, UNKNOWN, vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

# A label such as " (a)", a word with the space before it, or any single character.
_PIECES = r" ?\([a-z]\)| ?[A-Za-z]+|[\s\S]"


CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""For callers that only know chats, such as diffusers' pipelines: the same tokens as the bare prompt."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer from the vocabulary: a word table; decoding joins the tokens, so it is lossless."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    table = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary())}, unk_token=UNKNOWN))
    table.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    table.decoder = decoders.Fuse()
    table.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, BOS_ID)])
    return PreTrainedTokenizerFast(
        tokenizer_object=table,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=BOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def encode_prompt(tokenizer: Any, prompt: str | Sequence[str]) -> dict[str, torch.Tensor]:
    """Encode one prompt, or several as one left-padded batch, for `model.generate(**encoded)`.

    Parameters
    ----------
    tokenizer
        The tokenizer of the bundled model; any Hugging Face tokenizer with an unknown token works.
    prompt
        One prompt or a sequence of them.

    Returns
    -------
    dict
        `input_ids` and `attention_mask`, both int64 of shape (prompts, longest prompt).

    Raises
    ------
    PromptError
        If a prompt is empty, or has characters or words that the tokenizer does not know; the message names them.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        raise PromptError("There is no prompt. Give one, or a list with at least one.")
    for text in prompts:
        if not text.strip():
            raise PromptError("The prompt is empty. Write one, or take one of the task's examples.")
        if unknown := unknown_parts(tokenizer, text):
            raise PromptError(
                f"The tokenizer does not know {', '.join(map(repr, unknown))} in {text!r}. "
                "Use only the characters and words that the tasks' examples use."
            )
    encoded = tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt")
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def unknown_parts(tokenizer: Any, text: str) -> list[str]:
    """List the parts of a text that the tokenizer maps to its unknown token or cannot read, each once, in order."""
    if broken := half_pairs(text):
        return broken
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    pieces = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return list(dict.fromkeys(text[start:end] for token, (start, end) in pieces if token == tokenizer.unk_token_id))
