"""The facts of a run: everything that a trace says in words beside its arrays, and what each may hold in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import whole_characters
from dgemma_viz.trace.notice import DERIVED_ARRAYS, Notice
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.trace.task import RunTask

INACTIVE_ROWS = "inactive_rows"
"""In ``RunFacts.absent``: steps of samples that had already finished were not recorded."""

SAMPLER_KINDS = ("entropy-bound", "mask-token", "block-refinement", "discrete-ddim", "autoregressive", "other")
"""Values of :attr:`RunFacts.sampler_kind`: DiffusionGemma's reference sampler or a port of it;
any sampler of a model with a mask token; diffusers' two other schedulers for uniform noise; left to right; none of
these."""

KIND_OF_NAME = {
    "EntropyBoundSampler": "entropy-bound",
    "EntropyBoundScheduler": "entropy-bound",
    "BlockRefinementScheduler": "block-refinement",
    "DiscreteDDIMScheduler": "discrete-ddim",
    "autoregressive": "autoregressive",
    "speculative": "autoregressive",
}
"""Kinds of samplers by the names that recorders give them; a class of the user's own is not known to be any."""

_TEXTS = ("model_id", "model_class", "sampler", "device", "dtype", "started", "status", "error")
_OBJECTS = ("settings", "task", "versions")
_LISTS = {"eos_token_ids": int, "absent": str}
_TOKEN = range(-(2**31), 2**31)
"""Ids are held in 32 bits; some tokenizers say -1 for a token that they do not have."""
_WHOLE = {
    "vocab_size": range(2**31),
    "pad_token_id": _TOKEN,
    "mask_token_id": _TOKEN,
    "seed": range(-(2**63), 2**64),  # what torch takes
}
_DEEPEST = 32
"""Levels of settings and task: Python reads deeper JSON than it can copy, compare and write."""


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
        What the sampler claims to be, one of :data:`SAMPLER_KINDS`: whose rules it is
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
        ``torch.initial_seed()`` when the run began; in MLX what ``mx.random.seed`` takes to begin there again. Or None.
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
        or :data:`~dgemma_viz.trace.schema.UNKNOWN_TOKEN`. With ``"inactive_rows"`` among them, steps of samples that
        had finished repeat the last ones that were recorded.
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

    @property
    def derived(self) -> frozenset[str]:
        """Names of arrays that are measured in other traces but derived in this one, as its notices say."""
        codes = {notice.code for notice in self.notices}
        return frozenset(name for code, name in DERIVED_ARRAYS.items() if code in codes)

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
        values = _checked(data)
        if unknown := set(values["absent"]) - {*ARRAYS, INACTIVE_ROWS}:
            raise TraceError(f"run fact 'absent' names {shown(unknown)}, which a trace does not have")
        return cls(**values)


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    """Values for :class:`RunFacts`: the same, with tuples for lists; types, ranges and depth are judged before use.

    Raises
    ------
    TraceError
        Names the fact and what it must be.
    """
    values = dict(data)
    for name in _TEXTS:
        _require(isinstance(values.get(name, ""), str), name, "str")
    if (kind := values.get("sampler_kind", "")) not in ("", *SAMPLER_KINDS):
        raise TraceError(f"run fact 'sampler_kind' is not one of {', '.join(map(repr, SAMPLER_KINDS))}: {kind!r:.40}")
    for name in _OBJECTS:
        value = values.get(name, {})
        _require(isinstance(value, dict), name, "dict")
        _check_parts(name, value)
    _require(
        all(isinstance(version, str) for version in values.get("versions", {}).values()), "versions", "dict of str"
    )
    for name, item in _LISTS.items():
        value = values.get(name, [])
        _require(
            isinstance(value, list) and all(type(part) is item for part in value), name, f"list of {item.__name__}"
        )
        values[name] = tuple(value)
    for name, allowed in _WHOLE.items():
        value = values.get(name, 0)
        known = type(value) is int and value in allowed
        _require(known or (value is None and name != "vocab_size"), name, _between(allowed))
    _require(all(token in _TOKEN for token in values["eos_token_ids"]), "eos_token_ids", f"list of {_between(_TOKEN)}")
    if (special := values.get("special_token_ids")) is not None:
        fits = isinstance(special, list | tuple) and all(type(token) is int and token in _TOKEN for token in special)
        _require(fits, "special_token_ids", f"list of {_between(_TOKEN)}")
        values["special_token_ids"] = tuple(special)
    if (span := values.get("output_span")) is not None:
        values["output_span"] = _span(span)
    values["notices"] = _notices(values.get("notices", []))
    return {name: _whole(value) for name, value in values.items()}


def _require(fits: bool, name: str, wanted: str) -> None:
    if not fits:
        raise TraceError(f"run fact '{name}' is not {wanted}")


def _between(allowed: range) -> str:
    return f"int from {allowed[0]} to {allowed[-1]}"


def _check_parts(name: str, value: Any) -> None:
    """Judge what an object holds level by level, since recursion is what must not be needed."""
    level = [value]
    for _ in range(_DEEPEST):
        parts = [part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(part, int) and abs(part) > sys.float_info.max for part in parts):
            raise TraceError(f"run fact '{name}' holds a whole number beyond the range of floating-point numbers")
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise TraceError(f"run fact '{name}' is nested deeper than {_DEEPEST} levels")


def _whole(value: Any) -> Any:
    """The same without halves of surrogate pairs, which could be neither shown nor sent anywhere."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_characters(name): _whole(part) for name, part in value.items()}
    return type(value)(map(_whole, value)) if isinstance(value, list | tuple) else value


def _notices(value: Any) -> tuple[Notice, ...]:
    fits = isinstance(value, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("text"), str)
        and isinstance(one.get("code", ""), str)
        and one.keys() <= {"code", "text"}
        for one in value
    )
    _require(fits, "notices", "list of objects that hold a 'text' and may hold a 'code'")
    return tuple(Notice(*(whole_characters(one.get(name, "")) for name in ("code", "text"))) for one in value)


def _span(value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple) and [type(part) for part in value] == [int, int] and 0 <= value[0] <= value[1]:
        return value[0], value[1]
    raise TraceError("run fact 'output_span' is not a begin and an end, counted from 0")


def shown(names: Iterable[str]) -> list[str]:
    """The first few of unknown names, shortened: a file may hold any number of any length."""
    return [name[:40] for name in sorted(names)[:5]]
