"""Notices: what a recorder saw in the running loop that makes the trace, or the run, less than it seems.

Readers of a trace go by a notice's code, and show its text, which may be reworded at any time. A new notice is a new
:class:`NoticeCode`, and a call of ``Run.warn(Notice(NoticeCode.…, "what was seen, and what to do"))`` in its recorder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoticeCode(StrEnum):
    """Codes of the recorders' notices. They are stored in traces, so one that was released keeps its meaning."""

    STALE_SAMPLER = "stale-sampler"
    """``generate()`` ran the compiled sampler of an earlier call, whose settings are others."""
    MIXED_SAMPLERS = "mixed-samplers"
    """Tokens were accepted by one sampler and re-noised by the compiled one of an earlier call."""
    REPEATED_SCHEDULE = "repeated-schedule"
    """Several temperature schedules divided the logits, one after the other."""
    ACCEPTED_DERIVED = "accepted-derived"
    """The running sampler shows no accepted mask; which positions were accepted is derived."""
    ACCEPTED_MISSING = "accepted-missing"
    """Accepted candidates do not stand in the canvas of the step after: the decisions recorded do not explain it."""
    ACCEPTED_MASKED = "accepted-masked"
    """Positions that an own loop says were accepted hold the mask token afterwards."""
    SCHEDULER_STEP_OVERRIDDEN = "scheduler-step-overridden"
    """A scheduler decides in a ``step`` of its own, so its numbers are those of the class that it extends."""
    RECORDING_STOPPED = "recording-stopped"
    """The recorder itself failed: the trace ends there, the generation went on."""
    DECISIONS_INFERRED = "decisions-inferred"
    """Seen were passes, or canvases, and no loop: what was decided is inferred from what the next step reads."""
    DECISIONS_UNEXPLAINED = "decisions-unexplained"
    """Tokens that were put into the canvas are not what the logits of the passes say."""
    MAY_NOT_DENOISE = "may-not-denoise"
    """The passes look like scoring, or like an autoregressive loop; a loop that denoises may look so by chance."""
    GUIDANCE_NOT_SEEN = "guidance-not-seen"
    """A loop mixes two distributions; only the one with the prompt was seen."""
    END_UNKNOWN = "end-unknown"
    """What the last pass of a run decided was not seen."""
    NOISED_DERIVED = "noised-derived"
    """What each step read is rebuilt from the steps at which tokens were revealed."""
    DRAFT_DERIVED = "draft-derived"
    """The file holds no drafts: shown is what stood in the canvas after each step."""
    FIRST_CANVAS_DERIVED = "first-canvas-derived"
    """The file begins after its first step: what that one read is taken to be masks alone."""
    MASK_INFERRED = "mask-inferred"
    """The file does not name its mask token: it is the one that all changed positions held, or stands for what is not
    revealed yet."""
    TOKENS_NUMBERED = "tokens-numbered"
    """The file holds texts alone: token ids are numbers of their texts, not those of a vocabulary."""
    TOKENS_ENCODED_AGAIN = "tokens-encoded-again"
    """The file holds text and no token ids: they come from encoding it again, as the tokenizer would, not the model."""


NO_WARNING = frozenset(
    {
        NoticeCode.DECISIONS_INFERRED,
        NoticeCode.NOISED_DERIVED,
        NoticeCode.DRAFT_DERIVED,
        NoticeCode.FIRST_CANVAS_DERIVED,
        NoticeCode.MASK_INFERRED,
        NoticeCode.TOKENS_NUMBERED,
        NoticeCode.TOKENS_ENCODED_AGAIN,
    }
)
"""Codes of notices that say how a trace came about, and of nothing to be wary of beyond that."""

DERIVED_ARRAYS = {
    NoticeCode.ACCEPTED_DERIVED: "accepted",
    NoticeCode.DECISIONS_INFERRED: "accepted",
    NoticeCode.NOISED_DERIVED: "noised",
    NoticeCode.DRAFT_DERIVED: "draft",
}
"""Arrays that are derived, in a trace with such a notice, although traces otherwise measure them."""


@dataclass(frozen=True)
class Notice:
    """One thing that whoever reads a trace should know.

    Attributes
    ----------
    code
        What kind of thing, one of :class:`NoticeCode`; another text where a newer version or another runtime wrote the
        trace, empty where nobody gave one.
    text
        The same for people, with the numbers at hand and a remedy. NOT escaped.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return self.text
