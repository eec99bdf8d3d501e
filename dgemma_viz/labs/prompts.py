"""A prompt: the token ids that a model reads, the bundled task that it is of, and its right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dgemma_viz.analysis.reference import Answer, Reference, answer_for, verdict_of
from dgemma_viz.errors import PromptError


def encode(tokenizer: Any, prompt: str | Sequence[str]) -> Mapping[str, Any]:
    """``input_ids`` and ``attention_mask``, int64 ``(B, P)`` each, through the chat template where there is one.

    Several prompts are padded on the left.

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


def task_facts(prompts: Sequence[str], output: str) -> dict[str, Any]:
    """What a trace's task says of its prompts: the texts and, for one of a bundled task, its name and right answer.

    Of several right answers it is the one nearest to the output. A batch has ``prompts`` only.
    """
    if len(prompts) != 1:
        return {"prompts": list(prompts)}
    known = {"prompt": prompts[0]}
    from dgemma_viz.tiny.tasks import task_of

    with suppress(PromptError):
        task = task_of(prompts[0])
        known |= {"name": task.name, "reference": task.right_answer(prompts[0], output)}
    return known


def answer_of(prompt: str, reference: Reference | None = None) -> Answer | None:
    """The right answer of a prompt: the caller's, else that of the bundled task that it is of; None without one."""
    found = answer_for(prompt, reference)
    if found is not None:
        return found
    from dgemma_viz.tiny.tasks import task_of

    try:
        task = task_of(prompt)
        task.validate_prompt(prompt)
    except PromptError:
        return None
    return task.right_answer


def is_right(prompt: str, output: str, reference: Reference | None = None) -> bool | None:
    """Whether an output is right, white space around it aside; None where the prompt has no reference.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    known = answer_of(prompt, reference)
    if known is None:
        return None
    verdict = verdict_of(known, prompt, output)
    return verdict if isinstance(verdict, bool) else verdict.strip() == output.strip()
