"""The contents of a page: what holds for all of it as JSON values, and each canvas of each sample as bytes.

Whoever looks at one canvas needs no other, so a place (one canvas of one sample, in one run or in both) is made when it
is asked for; and so are the parts that are made from all canvases, such as the findings. The bytes of a place are one
frame: the length of the JSON (uint32, little-endian), the JSON in UTF-8, zeros up to a multiple of four, and the
records that the JSON points into (:mod:`dgemma_viz.views.records`). ``static/place.js`` reads them, in every host.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.markup import plain
from dgemma_viz.trace.inside import Inside
from dgemma_viz.trace.model import Trace

Place = tuple[dict[str, Any], bytes]
"""What is shown of one canvas of one sample: JSON values, and the records that they point into."""

ANSWER, FINDINGS = PARTS = ("answer", "findings")
"""What is made from all canvases, in the order in which a page asks for it: the text of the whole answer
(:mod:`dgemma_viz.views.answer`), and the list of findings (:mod:`dgemma_viz.views.findings`)."""

_ALIGNMENT = 4


@dataclass(frozen=True)
class Contents:
    """What a page shows.

    Attributes
    ----------
    page
        What holds for all canvases and samples, as JSON values; ``canvases`` and ``samples`` say how many there are,
        ``parts`` what else there is.
    make_place
        Given canvas and sample: what is shown of them.
    make_parts
        By name, what makes one of the other :data:`PARTS` as JSON values; of two runs there are none.
    """

    page: dict[str, Any]
    make_place: Callable[[int, int], Place]
    make_parts: Mapping[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "page", plain({**self.page, "parts": [*self.make_parts]}))

    def part(self, name: str) -> dict[str, Any]:
        """One of the ``parts`` of the page; empty where it has none of that name."""
        made: dict[str, Any] = plain(self.make_parts[name]()) if name in self.make_parts else {}
        return made

    def whole_page(self) -> dict[str, Any]:
        """The page with all its parts, for a host that has time."""
        return {**self.page, **{name: self.part(name) for name in self.make_parts}}

    def place(self, canvas: int, sample: int) -> bytes:
        """The frame of one canvas of one sample."""
        return frame(*self.make_place(canvas, sample))

    def places(self) -> Iterator[tuple[int, int]]:
        """Every canvas with every sample."""
        return ((canvas, sample) for canvas in range(self.page["canvases"]) for sample in range(self.page["samples"]))


def contents(what: Trace | TracePair, reference: Reference | None = None, insides: Sequence[Inside] = ()) -> Contents:
    """What a page shows of a trace, or of two compared.

    Parameters
    ----------
    what
        The trace, or the pair from :func:`dgemma_viz.analysis.comparison.pair_of`.
    reference
        The right answer, for the diagnosis or the rows of errors; the trace's own if None. See
        :data:`dgemma_viz.analysis.reference.Reference`.
    insides
        Of steps of the trace.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed; or insides were given to a comparison.
    """
    if isinstance(what, TracePair):
        if insides:
            raise SettingError("the inside of a step is shown of one run, not of two compared")
        from dgemma_viz.views.compared import compared

        return compared(what, reference)
    from dgemma_viz.views.explored import explored

    return explored(what, reference, insides=insides)


def frame(values: dict[str, Any], records: bytes) -> bytes:
    """JSON values and records as the bytes that travel."""
    text = to_json(values)
    return b"".join([struct.pack("<I", len(text)), text, bytes(-len(text) % _ALIGNMENT), records])


def unframe(data: bytes) -> Place:
    """JSON values and records of a frame: the browser's reading, in Python."""
    (length,) = struct.unpack_from("<I", data)
    begin = 4 + length + -length % _ALIGNMENT
    return json.loads(data[4 : 4 + length]), data[begin:]


def to_json(values: dict[str, Any]) -> bytes:
    """Compact JSON in UTF-8; a number that JSON does not have is an error of ours."""
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode()
