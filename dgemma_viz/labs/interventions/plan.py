"""What interventions do to one step: tokens named by their ids, contradictions refused, and no model or sampler known.

The hooks of a loop ask :meth:`Plan.effects` in each step and apply the answer to the tensors at hand. The answer only
uses methods of these tensors, so nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.interventions.activations import ChangedActivation
from dgemma_viz.trace.interventions.forced_decisions import ForceAccept, ForcedDecision, ForceRenoise
from dgemma_viz.trace.interventions.intervention import Intervention, Token
from dgemma_viz.trace.interventions.run_conditions import (
    ChangeParameters,
    CutSelfConditioning,
    DropSelfConditioning,
    InjectMass,
)
from dgemma_viz.trace.interventions.tokens_read import AddNoise, Pin, Replace, TokensRead

AroundPass = Callable[..., Any]
"""Called in place of each decoder pass, as ``around_pass((canvas, step), forward, **inputs)``: it returns what
``forward(**inputs)`` gives, changed or not."""


def token_id(token: Token, tokenizer: Any, vocabulary: int) -> int:
    """Id of a token.

    Parameters
    ----------
    token
        An id; or a text that is one token: as the vocabulary writes it, or as the tokenizer encodes it.
    tokenizer
        The model's, or the processor that holds it; None allows ids only.
    vocabulary
        Size of the model's vocabulary.

    Raises
    ------
    SettingError
        There is no such token, or the text is several.
    """
    if not isinstance(token, str):
        if token >= vocabulary:
            raise SettingError(f"there is no token {token}: the vocabulary has {vocabulary:,}, counted from 0")
        return token
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
    if tokenizer is None:
        raise SettingError(f"without a tokenizer, {token!r} cannot be looked up: give the token's id")
    known = tokenizer.get_vocab().get(token)
    if known is not None:
        return int(known)
    ids = tokenizer.encode(token, add_special_tokens=False)
    unknown = getattr(tokenizer, "unk_token_id", None)
    if not ids or (unknown is not None and unknown in ids):
        raise SettingError(f"the tokenizer does not know {token!r}; name a token of its vocabulary, or an id")
    if len(ids) > 1:
        parts = ", ".join(repr(tokenizer.decode([one])) for one in ids)
        raise SettingError(f"{token!r} is not one token but {len(ids)}: {parts}. Name one for each position")
    return int(ids[0])


def refuse_contradictions(interventions: Sequence[Intervention]) -> None:
    """Raise SettingError on the first two that want different things of one position in one step of one sample.

    Tokens must be ids by now. Noise at positions that are chosen at random contradicts nothing: it gives way.
    """
    for first, second in combinations(interventions, 2):
        if not _meet(first, second):
            continue
        for what in _differences(first, second):
            raise SettingError(f"{what} given two different values: {first.describe()}; and {second.describe()}")


def _meet(first: Intervention, second: Intervention) -> bool:
    """Whether a sample has a step in which both hold."""
    if first.sample is not None and second.sample is not None and first.sample != second.sample:
        return False
    if isinstance(first, ChangeParameters) and isinstance(second, ChangeParameters):
        return first.begins == second.begins
    later = max(first, second, key=lambda one: one.step)
    canvas = first.begins[0] if first.canvas is not None else second.begins[0]
    return first.holds(canvas, later.step) and second.holds(canvas, later.step)


def _differences(first: Intervention, second: Intervention) -> Iterator[str]:
    reads, others = _tokens(first), _tokens(second)
    for position in reads.keys() & others.keys():
        if reads[position] is None or reads[position] != others[position]:
            yield f"the token at position {position} is"
    decisions, other_decisions = _decisions(first), _decisions(second)
    for position in decisions.keys() & other_decisions.keys():
        if decisions[position] != other_decisions[position]:
            yield f"the decision at position {position} is"
    told, others_told = _told(first), _told(second)
    for what in told.keys() & others_told.keys():
        if told[what] != others_told[what]:
            yield f"{what} is"
    if isinstance(first, ChangeParameters) and isinstance(second, ChangeParameters):
        for name in first.values.keys() & second.values.keys():
            if first.values[name] != second.values[name]:
                yield f"the parameter {name} is"


def _tokens(one: Intervention) -> dict[int, object]:
    """Token by position that a step is to read; None for noise."""
    if isinstance(one, Pin):
        return {one.position: one.token}
    if isinstance(one, Replace):
        return dict(one.tokens)
    return dict.fromkeys(one.positions_named()) if isinstance(one, AddNoise) else {}


def _decisions(one: Intervention) -> dict[int, bool]:
    """Accepted or not, by position. What is pinned is to be accepted."""
    if isinstance(one, Pin | ForceAccept):
        return dict.fromkeys(one.positions_named(), True)
    return dict.fromkeys(one.positions_named(), False) if isinstance(one, ForceRenoise) else {}


def _told(one: Intervention) -> dict[str, object]:
    """What the decoder is to be told of the step before."""
    if isinstance(one, CutSelfConditioning):
        return {"how much of the self-conditioning stays": one.k}
    if isinstance(one, InjectMass):
        return {f"the self-conditioning at position {one.position}": (one.token, one.mass)}
    return {}


@dataclass(frozen=True)
class Plan:
    """Interventions with ids as tokens, of which no two contradict each other; made by :func:`plan_of`."""

    interventions: tuple[Intervention, ...] = ()
    vocabulary: int = 0

    def effects(self, canvas: int, step: int) -> Effects:
        """What holds in one step."""
        return Effects(tuple(one for one in self.interventions if one.holds(canvas, step)), canvas, self.vocabulary)

    def check_batch(self, samples: int) -> None:
        """Raise SettingError if an intervention names a sample that a batch of this size does not have."""
        for one in self.interventions:
            if one.sample is not None and one.sample >= samples:
                raise SettingError(
                    f"there is no sample {one.sample} in a batch of {samples} (counted from 0): {one.describe()}"
                )


def plan_of(interventions: Sequence[Intervention], tokenizer: Any, vocabulary: int, canvas_length: int) -> Plan:
    """Judge interventions against a model.

    Raises
    ------
    SettingError
        There are none, one is not an intervention, a position is outside the canvas, a token is unknown, or two
        contradict each other.
    """
    if isinstance(interventions, Intervention):
        raise SettingError("interventions are a list, even of one")
    if not interventions:
        raise SettingError("there are no interventions: give at least one, for instance Replace({3: 'a'}, step=4)")
    for one in interventions:
        if not isinstance(one, Intervention):
            raise SettingError(f"{one!r} is not an intervention")
        if outside := [place for place in one.positions_named() if place >= canvas_length]:
            raise SettingError(
                f"position {outside[0]} is outside the canvas, whose positions run from 0 to {canvas_length - 1}: "
                f"{one.describe()}"
            )
    with_ids = tuple(one.with_tokens(lambda token: token_id(token, tokenizer, vocabulary)) for one in interventions)
    refuse_contradictions(with_ids)
    return Plan(with_ids, vocabulary)


@dataclass(frozen=True)
class Effects:
    """What the interventions that hold in one step do to its tensors. Nothing given is changed in place."""

    holding: tuple[Intervention, ...]
    canvas: int
    vocabulary: int

    def read(self, noised: Any) -> Any:
        """Canvas ``(B, C)`` with noise, replaced and pinned tokens; the given one if there are none."""
        if not any(isinstance(one, TokensRead) for one in self.holding):
            return noised
        changed = noised.clone()
        for sample, tokens in self._written(*noised.shape):
            for position, token in tokens.items():
                changed[sample, position] = token
        return changed

    def written(self, samples: int, length: int) -> npt.NDArray[np.bool_]:
        """Where :meth:`read` writes, bool ``(B, C)``."""
        where = np.zeros((samples, length), dtype=bool)
        for sample, tokens in self._written(samples, length):
            where[sample, list(tokens)] = True
        return where

    def _written(self, samples: int, length: int) -> Iterator[tuple[int, dict[int, int]]]:
        """Sample, and token by position, in the order in which they are written: noise, replaced, pinned."""
        for kind in (AddNoise, Replace, Pin):
            for one in self.holding:
                if isinstance(one, kind):
                    for sample in range(samples) if one.sample is None else [one.sample]:
                        yield sample, one.tokens_for(self.canvas, sample, length, self.vocabulary)

    @property
    def pins(self) -> bool:
        """Whether a position is pinned."""
        return any(isinstance(one, Pin) for one in self.holding)

    def certain(self, logits: Any) -> Any:
        """Logits ``(B, C, V)`` that give the pinned tokens probability 1; the given ones if there are none."""
        if not self.pins:
            return logits
        changed = logits.clone()
        for one in self.holding:
            if isinstance(one, Pin):
                changed[_rows(one), one.position] = -float("inf")
                changed[_rows(one), one.position, one.token] = 0.0
        return changed

    @property
    def forces(self) -> bool:
        """Whether a decision is forced."""
        return any(isinstance(one, ForcedDecision) for one in self.holding)

    def forced(self, accepted: Any) -> Any:
        """Accepted mask, bool ``(B, C)``, with the forced decisions."""
        changed = accepted.clone()
        for one in self.holding:
            if isinstance(one, ForcedDecision):
                for position in one.positions:
                    changed[_rows(one), position] = isinstance(one, ForceAccept)
        return changed

    @property
    def withholds(self) -> bool:
        """Whether the self-conditioning of a sample is dropped."""
        return any(isinstance(one, DropSelfConditioning) for one in self.holding)

    def told(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Arguments of a decoder pass, with what it is told of the step before changed."""
        logits = inputs.get("self_conditioning_logits")
        if logits is None:
            return inputs
        inputs = {**inputs, "self_conditioning_logits": self.conditioned(logits)}
        return inputs | ({"self_conditioning_mask": self.self_conditioned(logits)} if self.withholds else {})

    def self_conditioned(self, like: Any) -> Any:
        """For which samples the self-conditioning stays, bool ``(B,)``, on the device of a tensor ``(B, ...)``."""
        kept = like.new_ones(len(like)).bool()
        for one in self.holding:
            if isinstance(one, DropSelfConditioning):
                kept[_rows(one)] = False
        return kept

    def conditioned(self, logits: Any) -> Any:
        """Self-conditioning logits ``(B, C, V)`` cut and with mass injected; the given ones if neither is asked for.

        What changes is in float32, in which the decoder reads them anyhow; other positions keep their very values.
        """
        changed = logits
        for one in self.holding:
            if isinstance(one, CutSelfConditioning) and one.k < logits.shape[-1]:
                changed = changed.clone() if changed is logits else changed
                kept = logits[_rows(one)].topk(one.k, dim=-1)
                nothing = kept.values.new_full(logits[_rows(one)].shape, -float("inf"))
                changed[_rows(one)] = nothing.scatter(-1, kept.indices, kept.values)
        for one in self.holding:
            if isinstance(one, InjectMass):
                changed = changed.clone() if changed is logits else changed
                changed = changed.float()
                row = (_rows(one), one.position)
                changed[row] = _with_mass(changed[row], int(one.token), one.mass)
        return changed

    @property
    def activations(self) -> tuple[ChangedActivation, ...]:
        """What is changed in what modules give, in the order in which it was asked for."""
        return tuple(one for one in self.holding if isinstance(one, ChangedActivation))

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that are changed, the latest change of each."""
        changes = sorted((one for one in self.holding if isinstance(one, ChangeParameters)), key=lambda one: one.begins)
        return {name: value for one in changes for name, value in one.values.items()}


def _with_mass(logits: Any, token: int, mass: float) -> Any:
    """Logits ``(..., V)`` whose softmax has more or less of a token; see :class:`InjectMass`."""
    p = logits.softmax(-1)
    changed = p.clone()
    if mass >= 0:
        changed *= 1 - mass
        changed[..., token] += mass
    else:
        changed[..., token] *= 1 + mass
        changed = (changed / changed.sum(-1, keepdim=True)).where(p[..., token, None] < 1, p)
    return changed.log()


def _rows(one: Intervention) -> Any:
    """Index of the samples that an intervention is for."""
    return slice(None) if one.sample is None else one.sample
