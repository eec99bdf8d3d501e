"""Turns and channels of a sample: what the model thinks, what it says, and what either took.

>>> structure = chat_structure(trace)
>>> [(channel.name, channel.tokens, channel.ended) for channel in structure.channels]
[('thought', 27, True)]

Design. Prompt and output are read as one row of tokens, up to the token that ends the output, so that a template may
open a turn or a channel whose end the model writes. Only tokens that are markup count (:data:`ChatStructure.recorded`
says by what account), by the table in :mod:`dgemma_viz.trace.chat_markers`. Parts nest as they are opened; a new turn
ends whatever is open, and the end of a turn ends what is open in it. A canvas that was not emitted is read as its last
step drafted it.

Everything here is derived from what was recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import open_flips
from dgemma_viz.analysis.token_row import Stretch, TokenRow
from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import joined
from dgemma_viz.trace.chat_markers import CHAT_MARKERS, LINE_END, MARKER_TEXTS, ChatMarker, PartKind
from dgemma_viz.trace.model import Trace

_LONGEST_NAME = 16
"""Tokens among which the name of a turn or a channel must end."""
_NAME = re.compile(r"[^\W_][\w .:-]{0,39}")
"""What can be a name: a line of text behind an opening token is none."""
_DEEPEST = 32
"""Parts within parts; what opens beyond is not followed. Only broken runs come near it."""

_BEGINS = {marker.begin: marker for marker in CHAT_MARKERS}
_OF_ONE = {
    end: found[0]
    for end in {end for marker in CHAT_MARKERS for end in marker.ends}
    if len(found := [marker for marker in CHAT_MARKERS if end in marker.ends]) == 1
}
"""Closing tokens that only one kind of part has."""


@dataclass(frozen=True)
class ChatPart:
    """A turn or a channel.

    Attributes
    ----------
    kind
        ``"turn"`` or ``"channel"``.
    name
        Role of the turn, or name of the channel; empty where there is none.
    family
        Models whose markup it is.
    begin, end
        ``(canvas, position)`` of the tokens that open and close it; None where these stand in the prompt, or nowhere.
    ended
        Whether a token of its own closed it, or the begin of the next turn where that is how turns end.
    outer
        Whether it stands in no other part of its kind.
    spoken
        A channel that is said to the user, and no thinking; false for turns.
    stretches
        Its tokens in the output, opening and closing ones included, canvas by canvas; empty if all are in the prompt.
    steps
        Of a channel: decoder passes on its canvases until the draft of its last token had settled (had changed for the
        last time while it was open), summed over the canvases. None of a turn.
    share
        Share of the work, from 0 to 1: each decoder pass on a canvas is divided evenly among the tokens of the output
        in it. 0 where no step ran.
    """

    kind: PartKind
    name: str
    family: str
    begin: tuple[int, int] | None
    end: tuple[int, int] | None
    ended: bool
    outer: bool
    spoken: bool
    stretches: tuple[Stretch, ...]
    steps: int | None
    share: float

    @property
    def tokens(self) -> int:
        """Its tokens in the output, the opening and the closing one included."""
        return sum(stretch.end - stretch.begin for stretch in self.stretches)


@dataclass(frozen=True)
class ChatStructure:
    """Turns and channels of prompt and output of one sample, in the order in which they begin.

    Attributes
    ----------
    turns, channels
        Those that stand in the prompt alone are among them, with no tokens in the output.
    recorded
        True where the trace says which ids are markup (``RunFacts.special_token_ids``); false where every token whose
        whole text is a marker had to be taken for one.
    answer
        Stretches of the output that are in no channel, or in one that is spoken, without markup and tokens that end
        the output.
    """

    turns: tuple[ChatPart, ...]
    channels: tuple[ChatPart, ...]
    recorded: bool
    answer: tuple[Stretch, ...]

    @cached_property
    def written(self) -> tuple[ChatPart, ...]:
        """Channels with tokens in the output."""
        return tuple(channel for channel in self.channels if channel.stretches)


_STRUCTURES: WeakKeyDictionary[Trace, dict[int, ChatStructure]] = WeakKeyDictionary()
_SPECIAL: WeakKeyDictionary[Trace, tuple[int, ...]] = WeakKeyDictionary()
"""A trace never changes, and views of each of its canvases ask for these."""


def chat_structure(trace: Trace, sample: int = 0) -> ChatStructure:
    """Turns and channels of one sample; none where the text has no markup of chats.

    Parameters
    ----------
    trace
        Recorded run.
    sample
        Sample of the batch, from 0.

    Raises
    ------
    TraceError
        The trace has no such sample.
    """
    known = _STRUCTURES.setdefault(trace, {})
    if not 0 <= sample < trace.n_samples:
        raise TraceError(f"sample {sample} is not in this trace, which has {trace.n_samples} (counted from 0)")
    if sample not in known:
        known[sample] = _Reading(trace, sample).structure()
    return known[sample]


def special_ids(trace: Trace) -> tuple[int, ...]:
    """Ids of a trace that are markup and no text: as recorded, or else those whose whole text is a marker of chats."""
    if trace.facts.special_token_ids is not None:
        return trace.facts.special_token_ids
    if trace not in _SPECIAL:
        _SPECIAL[trace] = tuple(token for token, text in trace.token_texts.items() if text.strip() in MARKER_TEXTS)
    return _SPECIAL[trace]


@dataclass
class _Open:
    """A part that has begun: by which entry of the table, where (-1: before all), whether in none of its own kind."""

    marker: ChatMarker
    begin: int
    outer: bool


class _Reading:
    """Reads a sample's row of tokens from its begin to its end, and keeps the parts that it sees."""

    def __init__(self, trace: Trace, sample: int) -> None:
        row = TokenRow.of(trace, sample)
        special, known = set(special_ids(trace)), np.unique(row.ids)
        texts = zip(known.tolist(), trace.token_texts_of(known), strict=True)
        self._trace, self._sample, self._row = trace, sample, row
        self._markup = {t: text.strip() for t, text in texts if t in special and text.strip() in MARKER_TEXTS}
        self._found: list[tuple[int, ChatPart]] = []
        self._open: list[_Open] = []
        self._last_change: dict[int, npt.NDArray[np.int_]] = {}
        ends = trace.facts.eos_token_ids
        self._left = ~np.isin(row.ids, [*special, *ends])
        self._left[: row.prompt] = False
        ended = len(row.ids) > row.prompt and row.ids[-1] in ends
        self._stop = len(row.ids) - ended

    def structure(self) -> ChatStructure:
        """What there is in the row."""
        for index in np.flatnonzero(np.isin(self._row.ids, list(self._markup))).tolist():
            text = self._markup[int(self._row.ids[index])]
            if text in _BEGINS:
                self._begin(_BEGINS[text], index)
            else:
                self._end(text, index)
        self._drop(0, self._stop)
        parts = [part for _, part in sorted(self._found, key=lambda pair: pair[0])]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self._left, [False]]).astype(np.int8))).tolist()
        answer = (self._row.stretches(*span) for span in zip(edges[::2], edges[1::2], strict=True))
        return ChatStructure(
            turns=tuple(part for part in parts if part.kind == "turn"),
            channels=tuple(part for part in parts if part.kind == "channel"),
            recorded=self._trace.facts.special_token_ids is not None,
            answer=tuple(chain.from_iterable(answer)),
        )

    def _begin(self, marker: ChatMarker, index: int) -> None:
        if marker.kind == "turn":
            self._drop(0, index, before_turn=True)
        if len(self._open) < _DEEPEST:
            self._open.append(_Open(marker, index, all(part.marker.kind != marker.kind for part in self._open)))

    def _end(self, text: str, index: int) -> None:
        """Close the innermost part that this token ends, with all in it; and the turn around it, if it ends both."""
        unknown = not (self._row.prompt or self._found or self._open)
        if unknown and text in _OF_ONE:  # it began in a prompt that was not recorded
            self._open.append(_Open(_OF_ONE[text], -1, outer=True))
        kind = None
        while kind != "turn":
            depth = next((n for n in reversed(range(len(self._open))) if text in self._open[n].marker.ends), None)
            if depth is None or self._open[depth].marker.kind == kind:
                return
            self._drop(depth + 1, index)
            part = self._open.pop()
            self._keep(part, index + 1, ended=True)
            kind = part.marker.kind

    def _drop(self, depth: int, index: int, *, before_turn: bool = False) -> None:
        """What is open from a depth on ends before this token, without an end of its own."""
        while len(self._open) > depth:
            part = self._open.pop()
            self._keep(part, index, ended=before_turn and part.marker.until_next)

    def _keep(self, part: _Open, end: int, *, ended: bool) -> None:
        row, begin, marker = self._row, max(part.begin, 0), part.marker
        name = marker.name or self._name(part, end)
        inside = slice(max(begin, row.prompt), end)
        stretches = tuple(row.stretches(begin, end))
        spoken = marker.kind == "channel" and name.partition(" ")[0] in marker.spoken
        if marker.kind == "channel" and not spoken:
            self._left[begin:end] = False
        kept = ChatPart(
            kind=marker.kind,
            name=name,
            family=marker.family,
            begin=None if part.begin < 0 else row.place(part.begin),
            end=row.place(end - 1) if ended and self._is_end(part, end - 1) else None,
            ended=ended,
            outer=part.outer,
            spoken=spoken,
            stretches=stretches,
            steps=sum(map(self._settled, stretches)) if marker.kind == "channel" else None,
            share=float(row.work[inside].sum()),
        )
        self._found.append((part.begin, kept))

    def _is_end(self, part: _Open, index: int) -> bool:
        return self._markup.get(int(self._row.ids[index])) in part.marker.ends

    def _settled(self, stretch: Stretch) -> int:
        """Steps until the drafts of these positions had changed for the last time while they were open."""
        canvas, begin, end = stretch
        if canvas not in self._last_change:
            changed = open_flips(self._trace.canvas_run(canvas, self._sample))
            steps = np.arange(1, len(changed) + 1)[:, None]
            self._last_change[canvas] = np.where(changed, steps, min(1, len(changed))).max(axis=0, initial=0)
        return int(self._last_change[canvas][begin:end].max())

    def _name(self, part: _Open, end: int) -> str:
        """What is written behind the opening token, up to the end of a name."""
        written = ""
        first = part.begin + 1
        for token in self._row.ids[first : min(end, first + _LONGEST_NAME)].tolist() if part.begin >= 0 else ():
            if token in self._markup:
                name, closed = written, self._markup[token] in part.marker.name_ends
                break
            written += joined([self._trace.token_text(token)])
            name, line_end, _ = written.partition(LINE_END)
            if closed := bool(line_end) and LINE_END in part.marker.name_ends:
                break
        else:
            return ""
        return name.strip() if closed and _NAME.fullmatch(name.strip()) else ""
