"""Rules about channels: one that never ends, leaves no answer behind it, or lies across canvases.

See :mod:`dgemma_viz.analysis.chat` for how channels are recognised. What a prompt says by itself is no fault of the
run: only channels with tokens in the output count.
"""

from __future__ import annotations

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.chat import ChatPart
from dgemma_viz.diagnosis.case import SampleCase, per_sample
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, quote
from dgemma_viz.rules.rule import Rule


def _unended(case: SampleCase) -> Finding | None:
    found = [channel for channel in case.chat.written if channel.outer and not channel.ended]
    if not found:
        return None
    channel = found[-1]
    last = channel.stretches[-1]
    begun = "The prompt opens" if channel.begin is None else "The output opens"
    answered = bool(_answer(case))
    rest = "" if answered else " There is no other text: the answer is missing."
    return Finding(
        Severity.WARNING if answered else Severity.ERROR,
        f"{begun} the channel {_named(channel)}, and nothing closes it: it holds "
        f"{counted(channel.tokens, 'token')}, up to the end of its turn or of the output.{rest}",
        canvas=last.canvas,
        step=case.settled_at(last.canvas, last.end - 1),
        positions=(last.end - 1,),
        evidence={"tokens": channel.tokens, "steps": channel.steps or 0, "share": channel.share},
    )


def _unanswered(case: SampleCase) -> Finding | None:
    hidden = [channel for channel in case.chat.written if channel.outer and not channel.spoken]
    if not hidden or not all(channel.ended for channel in hidden):
        return None  # one that never ends is a finding of its own
    last = hidden[-1].stretches[-1]
    answer = _answer(case)
    if any((canvas, position) >= (last.canvas, last.end) for canvas, position in answer):
        return None
    before = " There is text before it only." if answer else ""
    return Finding(
        Severity.NOTE if answer else Severity.ERROR,
        f"The channel {_named(hidden[-1])} ends, and no text follows.{before}",
        canvas=last.canvas,
        step=case.settled_at(last.canvas, last.end - 1),
        positions=(last.end - 1,),
        evidence={"tokens": sum(channel.tokens for channel in hidden), "share": sum(one.share for one in hidden)},
    )


def _split(case: SampleCase) -> Finding | None:
    found = [channel for channel in case.chat.written if channel.outer and len(_canvases(channel)) > 1]
    found = [channel for channel in found if not channel.spoken]
    if not found:
        return None
    channel = found[0]
    canvases = _canvases(channel)
    second = next(stretch for stretch in channel.stretches if stretch.canvas == canvases[1])
    return Finding(
        Severity.NOTE,
        f"The channel {_named(channel)} lies across {len(canvases)} canvases, {canvases[0]} to {canvases[-1]}: what "
        "stands in the earlier ones could not change any more when the later were denoised.",
        canvas=second.canvas,
        step=None if case.canvas(second.canvas) is None else 0,
        positions=tuple(range(second.begin, second.end)),
        evidence={"canvases": len(canvases), "tokens": channel.tokens},
    )


def _canvases(channel: ChatPart) -> list[int]:
    return list(dict.fromkeys(stretch.canvas for stretch in channel.stretches))


def _named(channel: ChatPart) -> str:
    return quote([channel.name]) if channel.name else "without a name"


def _answer(case: SampleCase) -> list[tuple[int, int]]:
    """Places of the text outside hidden channels: first positions of the stretches that hold more than white space."""
    found = []
    for canvas, begin, end in case.chat.answer:
        run = case.trace.canvas_run(canvas, case.sample)
        ids = (run.array("draft")[-1] if run.emitted is None else run.emitted)[begin:end]
        ids = ids[~case.is_filler(ids)]
        if "".join(case.trace.token_texts_of(ids)).strip():
            found.append((canvas, begin))
    return found


RULES = (
    Rule(
        name="channel-never-ends",
        title="Channel never ends",
        says="A channel, such as one for thinking, was opened and not closed: programs that hide thinking hide the "
        "answer with it, or show the thinking as the answer.",
        remedy="Raise max_new_tokens if the output was cut. Otherwise look at the alternatives where the closing token "
        "should stand; a template that opens an empty channel itself switches thinking off.",
        source="chat templates of Gemma 4 and Qwen 3; dgemma_viz.analysis.chat",
        needs=(need.EMITTED, need.COMPLETE, need.TEXTS),
        check=per_sample(_unended),
    ),
    Rule(
        name="channel-without-answer",
        title="No answer behind a channel",
        says="The thinking ended, and so did the output: what was asked for is missing.",
        remedy="Look at the step at which the end token behind the channel settled, and at its alternatives. Thinking "
        "that fills a canvas to its last positions leaves the answer to a canvas that then begins with the end.",
        source="chat templates of Gemma 4 and Qwen 3; dgemma_viz.analysis.chat",
        needs=(need.EMITTED, need.COMPLETE, need.TEXTS),
        check=per_sample(_unanswered),
    ),
    Rule(
        name="channel-across-canvases",
        title="Channel across canvases",
        says="Thinking lies across a boundary of canvases. The earlier canvas was fixed before the later one began, "
        "so the thinking could not be revised as a whole.",
        remedy="Nothing, if the answer is right. Otherwise try a longer canvas, a shorter thinking budget, or more "
        "steps for the first canvas.",
        source="transformers 5.23 generate(), steps 1.a and 1.f (_prepare_kwargs_for_next_canvas)",
        needs=(need.EMITTED, need.TEXTS),
        check=per_sample(_split),
    ),
)
