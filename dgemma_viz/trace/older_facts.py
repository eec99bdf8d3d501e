"""Run facts of earlier versions, as the current one has them.

Up to schema 5 and JSON lines 3 a recorder's warning was a sentence without a code. These are the sentences that
recorders wrote; nothing else in the package may go by the words of a notice.
"""

from __future__ import annotations

from typing import Any

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.notice import NoticeCode

_SENTENCES = {
    "recording stopped in canvas": NoticeCode.RECORDING_STOPPED,
    "generate() ran the compiled sampler of an earlier call": NoticeCode.STALE_SAMPLER,
    "re-noised with the compiled one of an earlier call": NoticeCode.MIXED_SAMPLERS,
    "temperature schedules divided the logits, one after the other": NoticeCode.REPEATED_SCHEDULE,
    "the running sampler shows no accepted mask": NoticeCode.ACCEPTED_DERIVED,
    "accepted candidates are missing from the canvas of the step after": NoticeCode.ACCEPTED_MISSING,
    "accepted hold the mask token afterwards": NoticeCode.ACCEPTED_MASKED,
    "decides in a step of its own": NoticeCode.SCHEDULER_STEP_OVERRIDDEN,
}
"""Part of each sentence; first the one that quotes an error."""


def upgraded_facts(data: Any) -> Any:
    """JSON object of facts of an earlier version as the current one has it; what else it holds is judged later.

    Raises
    ------
    TraceError
        ``warnings`` are no list of texts.
    """
    if not isinstance(data, dict) or "warnings" not in data or "notices" in data:
        return data
    facts = dict(data)
    texts = facts.pop("warnings")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TraceError("run fact 'warnings' is not list of str")
    return {**facts, "notices": [{"code": _code_of(text), "text": text} for text in texts]}


def _code_of(text: str) -> str:
    return next((code.value for part, code in _SENTENCES.items() if part in text), "")
