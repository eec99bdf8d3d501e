"""``parity(trace, model_b)``: the recorded canvases through a second model, and which decisions that changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.as_trace import TraceLike, as_trace

if TYPE_CHECKING:
    from dgemma_viz.analysis.parity import Parity

SelfConditioning = Literal["own", "recorded"]

NOISE = (0.001, 0.01, 0.1, 1.0)
"""Standard deviations, in logits before temperature, which are soft-capped at 30 in the released model."""

_LARGEST_SEED = 2**63 - 1


def parity(  # noqa: PLR0913 - everything but trace and model is optional, and named
    trace: TraceLike,
    model_b: Any,
    *,
    model_a: Any = None,
    self_conditioning: SelfConditioning = "own",
    trace_b: TraceLike | None = None,
    noise: Sequence[float] = NOISE,
    layers: bool = False,
    seed: int = 0,
) -> Parity:
    """Let a second model read the recorded canvases, step by step, and compare what it makes of them.

    Teacher-forced: every step reads the canvas that was recorded, whatever the model would have decided before, so each
    step's difference is that of one pass. Accepted sets follow from the recorded entropy bound, candidates from the
    recorded random numbers where these can be drawn again (a recorded generator state, and the same kind of device),
    stops from the recorded rule.

    Parameters
    ----------
    trace
        Of transformers' DiffusionGemma loop, recorded by anyone, or of another runtime's port of it that logged prompt,
        noised canvas, candidates, accepted sets and bound; or of left-to-right decoding (``dv.record`` of
        ``as_causal(model)``).
    model_b
        The second model: another precision, quantised, compiled, another machine's weights. Or its logits before
        temperature, as arrays: ``(S, B, C, V)``, or one array ``(B, C, V)`` for each step (of left-to-right runs, for
        each canvas; position *i* holds what predicts token *i*).
    model_a
        The recorded model. Without it, A's numbers are those of the trace: drafts, entropies and accepted sets are
        exact, the divergence is a lower bound from the recorded alternatives, the drift of logits is not known. With
        it, it is fed the same canvases beside B, and whether that repeats the recorded numbers is checked.
    self_conditioning
        What B's passes get from the step before: ``"own"``, its own logits there, as in a run of B, of which the passes
        are then an exact copy up to the first decision that differs; or ``"recorded"``, those of ``model_a``, so that
        nothing accumulates from step to step.
    trace_b
        B's own run from the same start, such as ``dv.interventions.replay(model_b, tokenizer, trace).trace``, or the
        other runtime's log. With it the verdict says whether the models' difference explains where the runs part.
    noise
        Standard deviations of Gaussian noise that is added to A's logits (B's, without A), for the scale; empty for
        none.
    layers
        Whether to compare hidden states behind each layer; needs ``model_a``.
    seed
        Of that noise.

    Returns
    -------
    Parity
        Tables by step, of flips, of noise and of layers; numbers per position; a verdict.

    Raises
    ------
    TraceError
        The trace is of another sampler, was changed on purpose, or lacks what its canvases need to be read again.
    SettingError
        A model of another kind, vocabulary or canvas length; arrays of another shape, or not finite; recorded
        self-conditioning or layers without ``model_a``; a model whose logits are not finite.

    Examples
    --------
    >>> import copy, torch
    >>> trace = dv.run(model, tokenizer, "add 347+678=")
    >>> half = copy.deepcopy(model).to(torch.bfloat16)
    >>> found = dv.parity(trace, half, model_a=model)
    >>> found.table, found.verdict
    """
    from dgemma_viz.labs.parity.checks import check_model, check_other_run, is_causal
    from dgemma_viz.labs.parity.given import GivenLogits, is_given

    trace = as_trace(trace, "parity()")
    if self_conditioning not in ("own", "recorded"):
        raise SettingError(f"self_conditioning is 'own' or 'recorded', not {self_conditioning!r:.60}")
    if isinstance(noise, str) or not isinstance(noise, Iterable):
        raise SettingError(f"noise is a list of standard deviations, even of one, not {noise!r:.60}")
    levels = [checked_range("a noise level", level, ends="()", unit="logits") for level in noise]
    seed = checked_range("a seed", seed, 0, _LARGEST_SEED, whole=True)
    causal = is_causal(trace)
    other = None if trace_b is None else as_trace(trace_b, "parity()")
    if other is not None:
        check_other_run(trace, other)
    if model_a is not None:
        check_model(trace, model_a, causal=causal, whose="model_a")
    given = GivenLogits(model_b, trace, causal=causal) if is_given(model_b) else None
    if given is None:
        check_model(trace, model_b, causal=causal, whose="model_b")
    if self_conditioning == "recorded" and (model_a is None or given is not None or causal):
        why = "needs model_a, since a trace holds no logits"
        if given is not None or causal:
            why = "is for a model that denoises; " + ("arrays were made with theirs" if given else "this run has none")
        raise SettingError(f"self_conditioning='recorded' {why}")
    if layers and (model_a is None or given is not None):
        raise SettingError("layers=True compares hidden states, so it needs model_a and a model as model_b")

    from dgemma_viz.labs.parity.walk import CausalWalk, DenoisingWalk

    walk: DenoisingWalk | CausalWalk
    if causal:
        walk = CausalWalk(trace, model_a, given or model_b, levels, seed, layers=layers)
    else:
        walk = DenoisingWalk(trace, model_a, given or model_b, levels, seed, layers=layers)
        walk.recorded_conditioning = self_conditioning == "recorded"
    walk.run()
    return walk.result(other)
