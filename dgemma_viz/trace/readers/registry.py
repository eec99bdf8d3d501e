"""The formats that are known, told apart by content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.readers import history, step_map, text_frames
from dgemma_viz.trace.readers.content import described
from dgemma_viz.trace.readers.known import Known


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes
    ----------
    name
        As errors and the guide call it.
    holds
        By what a file of it is told, in a phrase.
    fits
        Whether content (:func:`~dgemma_viz.trace.readers.content.content_of`) is of it.
    read
        The runs that the content holds, by name.
    """

    name: str
    holds: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, Known], dict[str, Trace]]


FORMATS = tuple(
    Format(module.NAME, module.HOLDS, module.fits, module.read) for module in (step_map, history, text_frames)
)
"""In the order in which they are tried."""


def read_foreign(content: Any, known: Known) -> dict[str, Trace]:
    """The runs that some content holds, by name; a lone run has the name ``""``.

    Raises
    ------
    TraceFileError
        It is of no known format, or wrong in its own.
    """
    found = next((one for one in FORMATS if one.fits(content)), None)
    if found is None:
        formats = "; ".join(f"{one.name} ({one.holds})" for one in FORMATS)
        raise TraceFileError(
            f"holds {described(content)}, which is no format that is known. Known are this package's own "
            f'(safetensors, or JSON lines whose first line has "format": "dgemma_viz.lines") and: {formats}'
        )
    try:
        return found.read(content, known)
    except TraceError as error:
        raise TraceFileError(f"was read as a {found.name}, but {error}") from error
