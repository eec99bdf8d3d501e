"""Which tokens begin and end turns and channels, by model family: one table, as data.

A marker is one token of the tokenizer, special or added. The same characters in a user's text are several ordinary
tokens, and mean nothing; so recorders note which ids are markers (``RunFacts.special_token_ids``), and whoever reads a
trace without that note goes by tokens whose whole text is one.

Sources, read in November 2026: Gemma's pages on prompt formatting (Gemma 3; Gemma 4, whose tokens DiffusionGemma has,
as transformers' test of its chat template shows); chat templates of Qwen (ChatML, ``<think>``; Dream and SDAR follow
it), of Llama 3 (LLaDA follows it), of Ling (LLaDA 2 follows it), of DeepSeek, Granite, GLM, Phi and Cohere as code
that renders them quotes them; OpenAI's harmony response format; mistral-common's special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PartKind = Literal["turn", "channel"]
LINE_END: Final = "\n"


@dataclass(frozen=True)
class ChatMarker:
    """A pair of tokens around a turn or a channel.

    Attributes
    ----------
    family
        Models that have it.
    kind
        What it is around.
    begin, ends
        Texts of the token that opens it, and of those that close it.
    name
        Role of the turn or name of the channel where the tokens themselves say it. Otherwise it is written behind the
        opening token, up to one of ``name_ends``: a line end, or another token.
    name_ends
        See ``name``.
    spoken
        Names of channels that are said to the user, so that they are an answer.
    until_next
        Whether the begin of the next turn ends it as well.
    """

    family: str
    kind: PartKind
    begin: str
    ends: tuple[str, ...]
    name: str = ""
    name_ends: tuple[str, ...] = (LINE_END,)
    spoken: tuple[str, ...] = ()
    until_next: bool = False


_HARMONY_ENDS = ("<|end|>", "<|return|>", "<|call|>")

CHAT_MARKERS: Final = (
    ChatMarker("Gemma 4, DiffusionGemma", "turn", "<|turn>", ("<turn|>",)),
    ChatMarker("Gemma 4, DiffusionGemma", "channel", "<|channel>", ("<channel|>",)),
    ChatMarker("Gemma 1 to 3", "turn", "<start_of_turn>", ("<end_of_turn>",)),
    ChatMarker("ChatML (Qwen, Dream)", "turn", "<|im_start|>", ("<|im_end|>",)),
    ChatMarker(
        "Llama 3, LLaDA",
        "turn",
        "<|start_header_id|>",
        ("<|eot_id|>", "<|eom_id|>"),
        name_ends=("<|end_header_id|>",),
    ),
    ChatMarker("Ling, LLaDA 2", "turn", "<role>", ("<|role_end|>",), name_ends=("</role>",)),
    ChatMarker("harmony (gpt-oss)", "turn", "<|start|>", _HARMONY_ENDS, name_ends=("<|channel|>", "<|message|>")),
    ChatMarker(
        "harmony (gpt-oss)",
        "channel",
        "<|channel|>",
        _HARMONY_ENDS,
        name_ends=("<|message|>", "<|constrain|>"),
        spoken=("final", "commentary"),
    ),
    ChatMarker("Granite", "turn", "<|start_of_role|>", ("<|end_of_text|>",), name_ends=("<|end_of_role|>",)),
    *(
        ChatMarker("DeepSeek", "turn", f"<｜{role}｜>", ("<｜end▁of▁sentence｜>",), name=role.lower(), until_next=True)
        for role in ("System", "User", "Assistant")
    ),
    *(
        ChatMarker("GLM, Phi", "turn", f"<|{role}|>", ("<|end|>",), name=role, until_next=True)
        for role in ("system", "user", "assistant", "observation")
    ),
    ChatMarker("Mistral", "turn", "[INST]", ("[/INST]",), name="user"),
    ChatMarker("Mistral", "turn", "[SYSTEM_PROMPT]", ("[/SYSTEM_PROMPT]",), name="system"),
    ChatMarker("Mistral", "channel", "[THINK]", ("[/THINK]",), name="think"),
    ChatMarker("Cohere", "channel", "<|START_THINKING|>", ("<|END_THINKING|>",), name="think"),
    ChatMarker("Qwen, DeepSeek and others", "channel", "<think>", ("</think>",), name="think"),
)

MARKER_TEXTS: Final = frozenset(
    text for marker in CHAT_MARKERS for text in (marker.begin, *marker.ends, *marker.name_ends) if text != LINE_END
)
"""Texts of all tokens that are part of the markup."""
