"""The trace: everything that was decided while a canvas was denoised, as one immutable object of numpy arrays.

Design. A trace is data and nothing else: no torch, no drawing, no statistics. All steps of a run lie on one axis ``S``
with ``canvas`` and ``step_in_canvas`` as coordinates, because adaptive stopping makes canvases ragged. Canvases that
are shorter than the longest are padded on their axis of positions; :class:`CanvasRun` gives each in its own length.
Shapes, dtypes and provenance stand in :mod:`dgemma_viz.trace.schema`. Arrays are made read-only; a trace that breaks an
invariant cannot be built (:class:`~dgemma_viz.errors.TraceError` names the array and the rule).

A run that failed or was interrupted gives a trace with ``facts.status`` other than ``"complete"``; its last canvas then
has no emitted tokens (``emitted`` has fewer canvases than ``canvas.max() + 1``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import joined, printable
from dgemma_viz.trace.checked_facts import checked_facts, shown
from dgemma_viz.trace.decision import NO_DECISION, Decision, Phase, is_accepted
from dgemma_viz.trace.notice import Notice
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT, TOKEN_ARRAYS
from dgemma_viz.trace.task import RunTask
from dgemma_viz.trace.token_texts import TokenTexts

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = npt.NDArray[Any]

UNKNOWN_TOKEN = -1
"""Stands for a token id where there is none (see :mod:`dgemma_viz.trace.schema`), and nowhere else."""

INACTIVE_ROWS = "inactive_rows"
"""In ``RunFacts.absent``: steps of samples that had already finished were not recorded."""


_LONGEST_NAME = 80
_MOST_WITHOUT_STEPS = 2**20
"""Samples x positions x alternatives of a trace that holds no value of them."""


@dataclass(frozen=True)
class RunFacts:
    """What a reader must know about a run to judge or repeat it. Everything is JSON-serialisable.

    Attributes
    ----------
    model_id, model_class
        Name or path that the model was loaded from (last path component only), and its class.
    sampler
        Sampler class, e.g. ``"EntropyBoundSampler"``.
    sampler_kind
        What the sampler claims to be, one of :data:`~dgemma_viz.trace.sampler_kinds.SAMPLER_KINDS`: whose rules it is
        held against, and in which words views speak of it. Empty: not said, so it is inferred from the other facts.
    settings
        Parameters asked for: ``max_denoising_steps``, ``entropy_bound``, ``t_min``, ``t_max``,
        ``stability_threshold``, ``confidence_threshold``, ``max_new_tokens``, ``cache_implementation``, ...
    versions
        Package name to version: ``dgemma_viz``, ``transformers``, ``torch``, ``python``, ...
    vocab_size
        Size of the model's vocabulary; noise is uniform over it.
    eos_token_ids, pad_token_id
        Ids that end a sequence, and that fill what follows.
    seed
        ``torch.initial_seed()`` when the run began, or None.
    device, dtype
        Where and in what the model ran.
    started
        ISO 8601 UTC time at which the run began.
    status
        ``"complete"``, ``"failed"`` or ``"interrupted"``.
    error
        Text of the exception that ended the run, if any.
    notices
        What the recorder saw that the user should know, e.g. a stale compiled sampler: each a code, for programs, and a
        text, for people (:class:`~dgemma_viz.trace.notice.Notice`).
    task
        What the run was for, and how to make it again, if the caller said so. A mapping is taken for one.
    absent
        Names of arrays that were not recorded, for traces of other runtimes: these hold no measurement but NaN, false,
        or :data:`UNKNOWN_TOKEN`. With ``"inactive_rows"`` among them, steps of samples that had finished repeat the
        last ones that were recorded.
    mask_token_id
        Token that stands for noise in a model with a mask token; None where noise is uniform over the vocabulary.
    output_span
        Begin and end of the output in the emitted canvases, laid end to end: where blocks are counted from the start of
        the prompt, the first canvas begins with the prompt's last tokens, and the last one may reach beyond the tokens
        that were asked for. None: the output is all of them.
    special_token_ids
        Those of the ids in the trace that are no text but markup: the tokenizer's special tokens, and tokens added to
        it that mark turns and channels (:mod:`dgemma_viz.trace.chat_markers`). None: not recorded.
    """

    model_id: str = ""
    model_class: str = ""
    sampler: str = ""
    sampler_kind: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    vocab_size: int = 0
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None
    seed: int | None = None
    device: str = ""
    dtype: str = ""
    started: str = ""
    status: str = "complete"
    error: str = ""
    notices: tuple[Notice, ...] = ()
    task: RunTask = field(default_factory=RunTask)
    absent: tuple[str, ...] = ()
    mask_token_id: int | None = None
    output_span: tuple[int, int] | None = None
    special_token_ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.task, RunTask):
            object.__setattr__(self, "task", RunTask.of(self.task))

    @property
    def filling_ids(self) -> tuple[int, ...]:
        """Ids of the tokens that end an output and fill the canvas behind it: end-of-sequence and padding tokens."""
        pad = self.pad_token_id
        return (*self.eos_token_ids, *((pad,) if isinstance(pad, int) else ()))

    def to_json(self) -> dict[str, Any]:
        """Plain dict of JSON types; what version 1 did not know only where it says something."""
        data = asdict(self)
        data |= {name: list(getattr(self, name)) for name in ("eos_token_ids", "absent")}
        data["task"] = self.task.to_json()
        data["notices"] = [{"code": str(notice.code), "text": notice.text} for notice in self.notices]
        later = ("absent", "mask_token_id", "output_span", "sampler_kind")
        known = {name: value for name, value in data.items() if value not in (None, [], "") or name not in later}
        if self.special_token_ids is None:
            del known["special_token_ids"]
        else:
            known["special_token_ids"] = list(self.special_token_ids)
        return known

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_json`; unknown keys and values of the wrong type are errors, missing ones default.

        Raises
        ------
        TraceError
            Names the fact that is wrong.
        """
        if not isinstance(data, dict):
            raise TraceError("run facts must be a JSON object")
        known = {f.name for f in fields(cls)}
        if unknown := set(data) - known:
            raise TraceError(f"unknown run facts {shown(unknown)}; known are {sorted(known)}")
        values = checked_facts(data)
        if unknown := set(values["absent"]) - {*ARRAYS, INACTIVE_ROWS}:
            raise TraceError(f"run fact 'absent' names {shown(unknown)}, which a trace does not have")
        return cls(**values)


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
    """Bytes of the torch generator's state when the run began (uint8), or None."""
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
        self._check()

    def _check(self) -> None:
        """Raise TraceError on the first broken invariant."""
        sizes: dict[str, tuple[int, str]] = {}
        for name, spec in ARRAYS.items():
            shape = getattr(self, name).shape
            if len(shape) != len(spec.axes):
                raise TraceError(f"array '{name}' has {len(shape)} axes, expected {len(spec.axes)} ({spec.axes})")
            for axis, size in zip(spec.axes, shape, strict=True):
                known, owner = sizes.setdefault(axis, (size, name))
                if known != size:
                    raise TraceError(f"array '{name}' has {axis}={size}, but '{owner}' has {axis}={known}")
        if self.n_steps:
            self._check_coordinates()
        self._check_sizes({axis: size for axis, (size, _) in sizes.items()})
        self._check_lengths()
        self._check_tokens()
        self._check_decisions()
        self._check_ruled_out()
        for name in ("confidence", "candidate_probability", "top_k_probabilities"):
            values = getattr(self, name)
            finite = values[np.isfinite(values)]
            if finite.size and (finite.min() < 0 or finite.max() > 1 + 1e-3):
                raise TraceError(f"array '{name}' is a probability, but runs from {finite.min()} to {finite.max()}")

    def _check_sizes(self, sizes: Mapping[str, int]) -> None:
        """Every size must be borne out by values: views make room for what a trace says that it holds."""
        if not (sizes["B"] and sizes["C"]):
            raise TraceError("a trace has at least one sample (B) and one position (C)")
        if len(self.emitted) > self.n_canvases:
            raise TraceError(f"'emitted' holds {len(self.emitted)} canvases, but only {self.n_canvases} were denoised")
        claimed = sizes["B"] * sizes["C"] * max(1, sizes["K"])
        if not self.n_steps and claimed > _MOST_WITHOUT_STEPS:
            raise TraceError(
                f"a trace without steps says that it has B={sizes['B']}, C={sizes['C']} and K={sizes['K']}; together "
                f"at most {_MOST_WITHOUT_STEPS:,} are allowed"
            )

    def _check_lengths(self) -> None:
        if not self.n_steps:
            return
        if self.length.min() < 1 or self.length.max() != self.canvas_length:
            raise TraceError(
                f"array 'length' runs from {self.length.min()} to {self.length.max()}; a canvas has at least 1 "
                f"position, and the longest has C={self.canvas_length}"
            )
        if (self.length != self.canvas_lengths[self.canvas]).any():
            raise TraceError(
                "array 'length' changes within a canvas: positions must keep their meaning in all its steps"
            )

    def _nothing_held(self, name: str) -> Array | None:
        """Where a token array must hold nothing: bool, of its shape; None if nowhere."""
        if not self.is_ragged and self.decided.all():
            return None
        axes = ARRAYS[name].axes
        if axes.startswith("SBC"):
            nothing = np.broadcast_to(~self.in_canvas[:, None, :], self.noised.shape)
            if name.startswith("candidate"):
                nothing = nothing | ~self.decided[:, :, None]
        elif axes.startswith("NBC"):
            nothing = np.broadcast_to(~self.in_emitted[:, None, :], self.emitted.shape)
        else:
            return None
        return nothing if nothing.any() else None

    def _check_tokens(self) -> None:
        for name in TOKEN_ARRAYS:
            ids = getattr(self, name)
            if name in self.facts.absent:
                if (ids != UNKNOWN_TOKEN).any():
                    raise TraceError(f"array '{name}' is said to be absent, but holds token ids")
                continue
            if (outside := self._nothing_held(name)) is not None:
                if (ids[outside] != UNKNOWN_TOKEN).any():
                    raise TraceError(
                        f"array '{name}' holds token ids beyond its canvas, or in a step without a decision"
                    )
                ids = ids[~outside]
            if ids.size and (ids.min() < 0 or (self.facts.vocab_size and ids.max() >= self.facts.vocab_size)):
                raise TraceError(
                    f"array '{name}' holds token id {ids.min() if ids.min() < 0 else ids.max()}, "
                    f"outside the vocabulary of {self.facts.vocab_size}"
                )

    def _check_decisions(self) -> None:
        for name, codes in (("decision", Decision), ("phase", Phase)):
            values = getattr(self, name)
            highest = (
                values.max(initial=0, where=values != NO_DECISION) if name == "decision" else values.max(initial=0)
            )
            if highest > max(codes):
                raise TraceError(f"array '{name}' holds the code {highest}; the last known is {max(codes)}")
        if (is_accepted(self.decision) != self.accepted).any():
            raise TraceError(
                "arrays 'accepted' and 'decision' contradict each other: a position is accepted where its decision is "
                "neither noise nor none. Give one of them, or change both"
            )
        none = self.decision == NO_DECISION
        if (none != (~self.in_canvas[:, None, :] | ~self.decided[:, :, None])).any():
            raise TraceError(
                "array 'decision': a step decides on all positions of a sample's canvas or on none, and never beyond it"
            )

    def _check_ruled_out(self) -> None:
        if (self.banned is None) != (self.banned_draft is None):
            raise TraceError("arrays 'banned' and 'banned_draft' belong together: give both or neither")
        if self.banned is None or self.banned_draft is None:
            return
        for name, values in (("banned", self.banned), ("banned_draft", self.banned_draft)):
            if values.shape != self.noised.shape:
                raise TraceError(f"array '{name}' has shape {values.shape}, but 'noised' has {self.noised.shape}")
        size = self.facts.vocab_size or np.iinfo(np.int32).max
        if self.banned.size and not (self.banned.min() >= 0 and self.banned.max() < size):
            raise TraceError(
                f"array 'banned' runs from {self.banned.min()} to {self.banned.max()}; of {size} tokens at least one "
                "keeps its probability"
            )
        if self.banned_draft.size and not (self.banned_draft.min() >= UNKNOWN_TOKEN and self.banned_draft.max() < size):
            raise TraceError(f"array 'banned_draft' holds token ids outside the vocabulary of {size}")
        if ((self.banned_draft != UNKNOWN_TOKEN) & (self.banned == 0)).any():
            raise TraceError("array 'banned_draft' holds a token where 'banned' says that none was ruled out")

    def _check_coordinates(self) -> None:
        canvas, step = self.canvas, self.step_in_canvas
        new = np.concatenate([[True], canvas[1:] != canvas[:-1]])
        expected_canvas = np.cumsum(new) - 1
        if not np.array_equal(canvas, expected_canvas):
            raise TraceError("coordinate 'canvas' must start at 0 and rise by one from canvas to canvas")
        starts = np.flatnonzero(new)
        if not np.array_equal(step, np.arange(len(step)) - starts[expected_canvas]):
            raise TraceError("coordinate 'step_in_canvas' must count up from 0 within each canvas")

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
            f"<Trace of {name or 'unknown model'}: {self.n_canvases} canvas(es) x "
            f"{self.lengths_in_words}, {self.n_steps} steps, {self.n_samples} sample(s), {status}>"
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
