"""The trace: everything that was decided while a canvas was denoised, as one immutable object of numpy arrays.

Design. A trace is data and nothing else: no torch, no drawing, no statistics. All steps of a run lie on one axis ``S``
with ``canvas`` and ``step_in_canvas`` as coordinates, because adaptive stopping makes canvases ragged. Canvases that
are shorter than the longest are padded on their axis of positions; :class:`CanvasRun` gives each in its own length.
Shapes, dtypes and provenance stand in :mod:`dgemma_viz.trace.schema`, what a run says in words in
:mod:`dgemma_viz.trace.facts`. Arrays are made read-only; a trace that breaks an invariant cannot be built
(:mod:`dgemma_viz.trace.invariants`: the error names the array and the rule).

A run that failed or was interrupted gives a trace with ``facts.status`` other than ``"complete"``; its last canvas then
has no emitted tokens (``emitted`` has fewer canvases than ``canvas.max() + 1``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import joined, printable
from dgemma_viz.trace.decision import NO_DECISION, Phase
from dgemma_viz.trace.facts import INACTIVE_ROWS, RunFacts
from dgemma_viz.trace.invariants import check
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT, UNKNOWN_TOKEN
from dgemma_viz.trace.token_texts import TokenTexts

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["INACTIVE_ROWS", "UNKNOWN_TOKEN", "CanvasRun", "RunFacts", "Trace"]

Array = npt.NDArray[Any]

_LONGEST_NAME = 80


@dataclass(frozen=True, eq=False)
class Trace:
    """One recorded run. Field shapes and meanings: :data:`dgemma_viz.trace.schema.ARRAYS`."""

    canvas: Array
    step_in_canvas: Array
    noised: Array
    candidate: Array
    draft: Array
    accepted: Array
    entropy: Array
    confidence: Array
    candidate_probability: Array
    top_k_ids: Array
    top_k_probabilities: Array
    active: Array
    finished: Array
    temperature: Array
    entropy_bound: Array
    entropy_spent: Array
    mean_entropy: Array
    stable_steps: Array
    wall_time: Array
    emitted: Array
    past_end: Array
    prompt: Array
    prompt_mask: Array
    decision: Array = None  # type: ignore[assignment]  # an array once built
    """Accepted or noise, as ``accepted`` says, if None."""
    phase: Array = None  # type: ignore[assignment]
    """All :attr:`~dgemma_viz.trace.decision.Phase.DENOISE` if None."""
    length: Array = None  # type: ignore[assignment]
    """All positions of every canvas if None."""
    facts: RunFacts = field(default_factory=RunFacts)
    token_texts: Mapping[int, str] = field(default_factory=dict)
    generator_state: Array | None = None
    """Bytes of the state of torch's or MLX's generator when the run began (uint8), or None."""
    banned: Array | None = None
    banned_draft: Array | None = None
    """What was ruled out, see :data:`dgemma_viz.trace.schema.RULED_OUT`; both or neither."""

    def __post_init__(self) -> None:
        if self.length is None:
            object.__setattr__(self, "length", np.full(np.shape(self.canvas), (*np.shape(self.noised), 0, 0)[2]))
        if self.decision is None:
            object.__setattr__(self, "decision", np.asarray(self.accepted, dtype=np.uint8))
        if self.phase is None:
            object.__setattr__(self, "phase", np.full(np.shape(self.canvas), Phase.DENOISE, dtype=np.uint8))
        for name, spec in (ARRAYS | RULED_OUT).items():
            given = getattr(self, name)
            if given is None and name in RULED_OUT:
                continue
            array = np.ascontiguousarray(given, dtype=spec.dtype)
            if array is given and array.flags.writeable:
                array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not isinstance(self.token_texts, TokenTexts):
            object.__setattr__(self, "token_texts", TokenTexts(self.token_texts))
        check(self)

    # -- sizes ---------------------------------------------------------------------------------------------------

    @property
    def n_steps(self) -> int:
        """Denoising steps over all canvases."""
        return len(self.canvas)

    @property
    def n_canvases(self) -> int:
        """Canvases on which at least one step ran."""
        return int(self.canvas[-1]) + 1 if self.n_steps else 0

    @property
    def n_samples(self) -> int:
        """Samples in the batch."""
        return int(self.noised.shape[1])

    @property
    def canvas_length(self) -> int:
        """Positions of the longest canvas, ``C``; those of each: :attr:`canvas_lengths`."""
        return int(self.noised.shape[2])

    @cached_property
    def canvas_lengths(self) -> Array:
        """Positions of each canvas: int ``(n_canvases,)``."""
        lengths: Array = self.length[np.searchsorted(self.canvas, np.arange(self.n_canvases))]
        return lengths

    @property
    def lengths_in_words(self) -> str:
        """Such as ``12 positions``, or ``64 to 256 positions`` where canvases differ."""
        shortest = f"{self.canvas_lengths.min()} to " if self.is_ragged else ""
        return f"{shortest}{self.canvas_length} position{'' if self.canvas_length == 1 else 's'}"

    @property
    def is_ragged(self) -> bool:
        """Whether canvases differ in length."""
        return bool(self.n_steps and self.length.min() < self.canvas_length)

    @cached_property
    def in_canvas(self) -> Array:
        """Positions that the step's canvas has: bool ``(S, C)``."""
        inside: Array = np.arange(self.canvas_length) < self.length[:, None]
        return inside

    @cached_property
    def in_emitted(self) -> Array:
        """Positions that each emitted canvas has: bool ``(N, C)``."""
        inside: Array = np.arange(self.canvas_length) < self.canvas_lengths[: len(self.emitted), None]
        return inside

    @cached_property
    def decided(self) -> Array:
        """Whether the step decided on a sample's positions: bool ``(S, B)``; if not, there is no candidate either."""
        made: Array = self.decision[:, :, 0] != NO_DECISION
        return made

    @property
    def top_k(self) -> int:
        """Alternatives kept per position."""
        return int(self.top_k_ids.shape[3])

    # -- access --------------------------------------------------------------------------------------------------

    def token_text(self, token_id: int) -> str:
        """Text of a token as the tokenizer shows it, or ``⟨id⟩`` where no tokenizer was given. NOT escaped.

        Bytes that are no character by themselves stand in it as ``surrogateescape`` has them.
        """
        return self.token_texts.get(int(token_id), f"⟨{int(token_id)}⟩")

    def token_texts_of(self, ids: Array) -> list[str]:
        """:meth:`token_text` of each of many ids ``(n,)``; many times faster than one by one. NOT escaped."""
        texts = self.token_texts.of(ids)  # type: ignore[attr-defined]  # packed when the trace was built
        return [f"⟨{token}⟩" if text is None else text for token, text in zip(ids.tolist(), texts, strict=True)]

    def canvas_run(self, canvas: int = 0, sample: int = 0) -> CanvasRun:
        """The denoising of one canvas of one sample: the steps in which that sample was still active."""
        if not 0 <= canvas < self.n_canvases:
            raise TraceError(f"canvas {canvas} is not in this trace, which has {self.n_canvases} (counted from 0)")
        if not 0 <= sample < self.n_samples:
            raise TraceError(f"sample {sample} is not in this trace, which has {self.n_samples} (counted from 0)")
        return CanvasRun.of(self, canvas, sample)

    def prompt_text(self, sample: int = 0) -> str:
        """The prompt, token texts joined, padding left out."""
        ids = self.prompt[sample][self.prompt_mask[sample]]
        return joined(self.token_texts_of(ids))

    @property
    def output_span(self) -> tuple[int, int]:
        """Begin and end of the output in the emitted canvases, laid end to end; see :attr:`RunFacts.output_span`."""
        return self.facts.output_span or (0, int(self._starts[len(self.emitted)]))

    @cached_property
    def _starts(self) -> Array:
        """Places of the canvases' first positions, laid end to end, and of the end: int ``(n_canvases + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.canvas_lengths, dtype=int)])

    def place(self, index: int) -> tuple[int, int]:
        """Canvas and position of a token by its index in the canvases laid end to end."""
        canvas = int(np.searchsorted(self._starts, index, side="right")) - 1
        return canvas, index - int(self._starts[canvas])

    def index(self, canvas: int, position: int = 0) -> int:
        """Index of a token in the canvases laid end to end: the other way from :meth:`place`."""
        return int(self._starts[canvas]) + position

    def emitted_ids(self, sample: int = 0) -> Array:
        """Emitted token ids of all canvases laid end to end, each in its own length."""
        ids: Array = self.emitted[:, sample][self.in_emitted]
        return ids

    def output_ids(self, sample: int = 0) -> Array:
        """Emitted token ids of all canvases, up to and without the first end-of-sequence token."""
        ids = self.emitted_ids(sample)[slice(*self.output_span)]
        ends = np.flatnonzero(np.isin(ids, self.facts.eos_token_ids))
        return ids[: ends[0]] if len(ends) else ids

    def output_text(self, sample: int = 0) -> str:
        """The output, token texts joined, up to the first end-of-sequence token."""
        return joined(self.token_texts_of(self.output_ids(sample)))

    # -- exchange (thin: the work is in trace.file and trace.tables) -----------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.safetensors`` file; see :func:`dgemma_viz.trace.file.save_trace`."""
        from dgemma_viz.trace.file import save_trace

        save_trace(self, path)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per step, sample and position; see :func:`dgemma_viz.trace.tables.to_dataframe`."""
        from dgemma_viz.trace.tables import to_dataframe

        return to_dataframe(self)

    def to_xarray(self) -> xr.Dataset:
        """Labelled dataset; see :func:`dgemma_viz.trace.tables.to_xarray`."""
        from dgemma_viz.trace.tables import to_xarray

        return to_xarray(self)

    def __repr__(self) -> str:
        model = self.facts.model_class or self.facts.model_id
        name, status = (printable(text, "")[:_LONGEST_NAME] for text in (model, self.facts.status))
        return (
            f"<Trace of {name or 'unknown model'}: {counted(self.n_canvases, 'canvas')} x "
            f"{self.lengths_in_words}, {counted(self.n_steps, 'step')}, {counted(self.n_samples, 'sample')}, {status}>"
        )


@dataclass(frozen=True, eq=False)
class CanvasRun:
    """One canvas of one sample: arrays of shape ``(T, C)`` over its ``T`` active steps, and ``(T,)`` per step.

    ``emitted`` is None where the run ended before the canvas was emitted. ``steps`` holds the indices of these steps on
    the trace's own step axis.
    """

    trace: Trace
    canvas: int
    sample: int
    steps: Array

    @classmethod
    def of(cls, trace: Trace, canvas: int, sample: int) -> Self:
        """Select; arguments are already checked by :meth:`Trace.canvas_run`."""
        return cls(trace, canvas, sample, np.flatnonzero((trace.canvas == canvas) & trace.active[:, sample]))

    @property
    def n_steps(self) -> int:
        """Active steps ``T`` (0 is possible)."""
        return len(self.steps)

    @property
    def canvas_length(self) -> int:
        """Positions ``C`` of this canvas."""
        return int(self.trace.canvas_lengths[self.canvas])

    @property
    def decided(self) -> Array:
        """Steps that decided on the positions: bool ``(T,)``. The others have no candidate and no accepted set."""
        made: Array = self.trace.decided[self.steps, self.sample]
        return made

    def array(self, name: str) -> Array:
        """A per-step array of the trace restricted to this canvas and sample: ``(T,)``, ``(T, C)`` or ``(T, C, K)``."""
        spec = (ARRAYS | RULED_OUT).get(name)
        if spec is None or not spec.axes.startswith("S"):
            per_step = [known for known, known_spec in ARRAYS.items() if known_spec.axes[0] == "S"]
            raise TraceError(f"'{name}' is not a per-step array; choose from {per_step}")
        if name in RULED_OUT and getattr(self.trace, name) is None:
            return np.full((self.n_steps, self.canvas_length), UNKNOWN_TOKEN if name == "banned_draft" else 0, np.int32)
        values: Array = getattr(self.trace, name)[self.steps]
        if spec.axes.startswith("SB"):
            values = values[:, self.sample]
        return values[:, : self.canvas_length] if "C" in spec.axes else values

    @property
    def emitted(self) -> Array | None:
        """Emitted token ids ``(C,)``, or None."""
        if self.canvas >= len(self.trace.emitted):
            return None
        ids: Array = self.trace.emitted[self.canvas, self.sample, : self.canvas_length]
        return ids

    @property
    def in_output(self) -> Array:
        """Positions that belong to the output, see :attr:`RunFacts.output_span`: bool ``(C,)``."""
        places = self.trace.index(self.canvas) + np.arange(self.canvas_length)
        begin, end = self.trace.facts.output_span or (0, self.trace.index(self.trace.n_canvases))
        inside: Array = (places >= begin) & (places < end)
        return inside

    @property
    def past_end(self) -> bool:
        """The sample's sequence had ended before this canvas."""
        return bool(self.canvas < len(self.trace.past_end) and self.trace.past_end[self.canvas, self.sample])

    def token_text(self, token_id: int) -> str:
        """Text of a token. NOT escaped."""
        return self.trace.token_text(token_id)
