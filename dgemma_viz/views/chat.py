"""Turns and channels on the page: as JSON, canvas by canvas, and as words in the head of a run."""

from __future__ import annotations

from typing import Any

from dgemma_viz.analysis.chat import ChatPart, chat_structure, special_ids
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.views.words import term

_UNNAMED = "channel"
_MOST_CHANNELS = 8
_BY_TEXT = "recognised by the texts of tokens: the trace does not say which of them are markup"


def chat_words(run: CanvasRun) -> dict[str, Any]:
    """Turns and channels that have tokens in a canvas, as JSON values.

    ``special``: ids of tokens that are markup and no text. ``turns`` and ``channels``: lists of
    :class:`~dgemma_viz.analysis.chat.ChatPart` with ``number`` (among those of the sample, in the order in which they
    begin), ``name``, ``begin`` and ``end`` (canvas and position, or None), ``ended``, ``outer``, ``spoken``,
    ``tokens``, ``steps``, ``share``, and ``here``, the first position in this canvas and the one behind the last.
    """
    structure = chat_structure(run.trace, run.sample)
    return {
        "special": list(special_ids(run.trace)),
        "turns": _here(structure.turns, run.canvas),
        "channels": _here(structure.channels, run.canvas),
    }


def _here(parts: tuple[ChatPart, ...], canvas: int) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "name": visible(part.name or (_UNNAMED if part.kind == "channel" else "")),
            "begin": part.begin,
            "end": part.end,
            "ended": part.ended,
            "outer": part.outer,
            "spoken": part.spoken,
            "tokens": part.tokens,
            "steps": part.steps,
            "share": part.share,
            "here": [stretch.begin, stretch.end],
        }
        for number, part in enumerate(parts)
        for stretch in part.stretches
        if stretch.canvas == canvas
    ]


def channels_html(trace: Trace, sample: int) -> Markup:
    """One line for each channel of a sample's output; empty where there is none."""
    structure = chat_structure(trace, sample)
    written = structure.written
    if not written:
        return markup()
    lines = [_line(channel) for channel in written[:_MOST_CHANNELS]]
    if (more := len(written) - _MOST_CHANNELS) > 0:
        lines.append(tag("li", f"{more} more"))
    remark = None if structure.recorded else (" ", tag("small", _BY_TEXT))
    return markup(tag("ul", lines, class_="dgx-channels"), remark)


def _line(channel: ChatPart) -> Markup:
    tokens, steps = (
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((channel.tokens, "token"), (channel.steps or 0, "step"))
    )
    name = tag("b", isolated(visible(channel.name)) or "without a name")
    ended = "ended" if channel.ended else "never ended"
    share = (f"{100 * channel.share:.0f} % ", term("of the work", "share of the work"))
    derived = tag("span", "derived", class_="dgx-tag")
    return tag("li", term("channel"), " ", name, f": {tokens}, settled after {steps}, ", share, f", {ended} ", derived)
