"""What an :class:`~dgemma_viz.trace.inside.model.Inside` says in words beside its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from typing import Any, Self, get_args

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.trace.facts import shown
from dgemma_viz.trace.interventions.intervention import Intervention, from_json

IDENTICAL, SAME_DECISIONS, DIVERGED, ALONE = "identical", "same decisions", "diverged", "alone"
AGREEMENTS = (IDENTICAL, SAME_DECISIONS, DIVERGED, ALONE)
"""Values of :attr:`InsideFacts.agreement`."""
OF_THE_RUN = ("started", "seed", "model_id")
"""Facts of a trace by which :attr:`InsideFacts.trace` tells its run."""
WAYS = ("diffusion", "masked", "causal")
"""Values of :attr:`InsideFacts.way`: how the positions see each other, and what is predicted for them."""


class Origin(IntEnum):
    """Code in ``Inside.origin``: what the pass found at a position."""

    NOISE = 0
    """Noise (or the mask) that no step has replaced yet."""
    RENOISED = 1
    """Noise again: an earlier step had accepted a token there."""
    ACCEPTED = 2
    """A token that the sampler had accepted."""
    GIVEN = 3
    """Text: not a position of a canvas."""


@dataclass(frozen=True)
class InsideFacts:
    """Where an inside was taken, of what, and whether it is of the recorded step.

    Attributes
    ----------
    way
        One of :data:`WAYS`.
    canvas, step, sample
        The step; None for a pass that belongs to no run.
    trace
        What tells the run, :data:`OF_THE_RUN`; empty for a pass that belongs to none.
    agreement
        How the run's repetition up to this step, the step included, compares with the trace: ``"identical"`` to the
        last bit; ``"same decisions"``, numbers differ by rounding; ``"diverged"``, so this may be another step than the
        recorded one; ``"alone"``, there was nothing to compare with.
    told
        That in a sentence, with what may be to blame.
    captured
        ``"running pass"``: the pass whose logits the loop used. ``"repeated pass"``: the loop's own pass was compiled,
        so the same inputs went through the model again, without ``torch.compile``.
    captured_difference
        Greatest difference of any logit between the two; 0 for the running pass.
    model_id, model_class, device, dtype, versions
        As in :class:`~dgemma_viz.trace.facts.RunFacts`.
    attention
        Implementation that ran, such as ``"sdpa"``.
    layer_types
        Of each layer, such as ``"sliding_attention"``.
    heads, experts
        Attention heads of a layer; experts of a layer, 0 if there are none.
    temperature
        What logits were divided by.
    encoder_difference
        Greatest difference of any key in the encoder's cache between the run's and the pass that ``encoder_lens`` is
        of; None if it was not compared.
    variants
        What each variant changed, as JSON; :meth:`interventions` gives them back.
    """

    way: str = "diffusion"
    canvas: int | None = None
    step: int | None = None
    sample: int = 0
    trace: Mapping[str, Any] = field(default_factory=dict)
    agreement: str = ALONE
    told: str = ""
    captured: str = "running pass"
    captured_difference: float = 0.0
    model_id: str = ""
    model_class: str = ""
    device: str = ""
    dtype: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    attention: str = ""
    layer_types: tuple[str, ...] = ()
    heads: int = 0
    experts: int = 0
    temperature: float = 1.0
    encoder_difference: float | None = None
    variants: tuple[Mapping[str, Any], ...] = ()

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """What each variant changed."""
        return tuple(from_json(one) for one in self.variants)

    def to_json(self) -> dict[str, Any]:
        """Plain dict of JSON types."""
        lists = {"layer_types": list(self.layer_types), "variants": [dict(one) for one in self.variants]}
        return asdict(self) | lists

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Rebuild from :meth:`to_json`; what is missing has its default.

        Raises
        ------
        TraceError
            Names the fact that is wrong.
        """
        if not isinstance(data, dict):
            raise TraceError("the facts of an inside must be a JSON object")
        known = {one.name: one for one in fields(cls)}
        if unknown := set(data) - set(known):
            raise TraceError(f"unknown facts of an inside: {shown(unknown)}; known are {sorted(known)}")
        for name, value in data.items():
            _check(name, value)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        facts = cls(**values)
        for name, among in (("agreement", AGREEMENTS), ("way", WAYS)):
            if getattr(facts, name) not in among:
                raise TraceError(f"fact '{name}' of an inside is not one of {', '.join(map(repr, among))}")
        try:
            _ = facts.interventions
        except (SettingError, TypeError) as error:
            raise TraceError(f"fact 'variants' of an inside cannot be read: {error}") from error
        return facts


_TYPES: Mapping[str, Any] = {
    "canvas": int | None,
    "step": int | None,
    "sample": int,
    "trace": dict,
    "versions": dict,
    "captured_difference": float | int,
    "temperature": float | int,
    "encoder_difference": float | int | None,
    "layer_types": list,
    "variants": list,
    "heads": int,
    "experts": int,
}
"""Of facts that are no text."""


def _check(name: str, value: Any) -> None:
    wanted = _TYPES.get(name, str)
    allowed = get_args(wanted) or (wanted,)
    if type(value) not in allowed or (isinstance(value, int) and value < 0):
        raise TraceError(f"fact '{name}' of an inside is {value!r:.80}, which it cannot be")
