"""``dv.inside``: look inside one step of a recorded run.

The run is repeated to that step (:func:`~dgemma_viz.labs.interventions.replay`), and the pass itself is looked at
while it runs (:mod:`.captured_pass`). Then the repetition is held against the trace, the step included: what was seen
is of the recorded step only if that step came out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.inside.anatomy import Anatomy, decoder_of
from dgemma_viz.labs.inside.kept import Kept, check_memory, kept_or_all
from dgemma_viz.labs.interventions.hooks import model_of, plan_for
from dgemma_viz.labs.interventions.repeatable import check_repeatable, cut, place_of
from dgemma_viz.labs.interventions.replay import Replay, first_difference, replay
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders.run_facts import model_id, versions
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace.decision import is_accepted
from dgemma_viz.trace.inside import Inside, InsideFacts, Origin
from dgemma_viz.trace.inside.facts import DIVERGED, IDENTICAL, OF_THE_RUN, SAME_DECISIONS
from dgemma_viz.trace.inside.schema import TOKENS
from dgemma_viz.trace.interventions import CutSelfConditioning, DropSelfConditioning
from dgemma_viz.trace.interventions.forced_decisions import ForcedDecision
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.trace.interventions.run_conditions import ChangeParameters
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.tokenizer import TokenTexts, tokenizer_of
from dgemma_viz.upstream.transformers import attention_implementation

Array = Any


def inside(  # noqa: PLR0913 - where to look, and what to keep
    model: Any,
    tokenizer: Any,
    trace: Trace,
    canvas: int,
    step: int,
    *,
    sample: int = 0,
    kept: Kept | None = None,
    even_if_diverged: bool = False,
    on_step: Callable[[StepRecord], None] | None = None,
) -> Inside:
    """Look inside one step of a recorded run of a DiffusionGemma.

    The run is repeated up to that step and ends there; the pass is looked at while it runs. It costs a replay of so
    many steps, and for each variant one decoder pass more.

    Parameters
    ----------
    model, tokenizer
        Those that were recorded; a pipeline stands for its model.
    trace
        Of ``generate()`` or of a diffusers pipeline.
    canvas, step
        Canvas, and denoising step within it, from 0.
    sample
        Of the batch.
    kept
        What to keep; None for all parts, with attention averaged over heads.
    even_if_diverged
        Give what was seen even if the repetition is not the recorded run; its facts then say so.
    on_step
        As for :func:`dgemma_viz.record`, of the repetition. ``KeyboardInterrupt`` ends it within that step.

    Returns
    -------
    Inside
        Of this pass: ``facts.agreement`` says how it compares with the recorded one.

    Raises
    ------
    TraceError
        The trace lacks what is needed to repeat its run; or the repetition diverged.
    SettingError
        Before anything runs: another model than the trace's; no such canvas, step, sample, layer or head; a variant
        that does not act on this pass; or not enough memory.

    Examples
    --------
    >>> seen = inside(model, tokenizer, trace, canvas=0, step=3)
    >>> seen.lens.stands_from          # depth from which each position's draft stands
    >>> seen.attention.weight[2, 0]    # layer 2: who reads whom, (C, X)
    """
    more: dict[str, Any] = {"kept": kept, "even_if_diverged": even_if_diverged, "on_step": on_step}
    return insides(model, tokenizer, trace, [(canvas, step)], sample=sample, **more)[0]


def insides(  # noqa: PLR0913 - as inside()
    model: Any,
    tokenizer: Any,
    trace: Trace,
    places: Sequence[tuple[int, int]],
    *,
    sample: int = 0,
    kept: Kept | None = None,
    even_if_diverged: bool = False,
    on_step: Callable[[StepRecord], None] | None = None,
) -> list[Inside]:
    """Look inside several steps of a recorded run, in one repetition of it.

    Parameters
    ----------
    places
        Canvas and step of each; all others as for :func:`inside`.

    Returns
    -------
    list
        In the order of ``places``; each says for itself how its step compares with the recorded one.

    Raises
    ------
    TraceError, SettingError
        As :func:`inside`.
    """
    kept, own = kept_or_all(kept), model_of(model)
    _check_trace(trace, own, tokenizer)
    if not places:
        raise SettingError("there is no step to look into: name at least one, as (canvas, step)")
    places = [_place(one) for one in places]
    rows = {where: place_of(trace, *where) for where in places}
    sample = checked_range("sample", sample, 0, trace.n_samples - 1, whole=True, unit=f"(of {trace.n_samples})")
    for (canvas, step), row in rows.items():
        if not trace.active[row, sample]:
            raise SettingError(
                f"sample {sample} had finished canvas {canvas} before step {step}, after "
                f"{trace.canvas_run(canvas, sample).n_steps} steps: the pass went through it, and nothing came of it"
            )
    anatomy = decoder_of(own)
    kept.layers_of(anatomy), kept.heads_of(anatomy)
    variants = {where: _variants(kept, where, model, tokenizer) for where in rows}
    last = max(rows)
    check_memory(kept, anatomy, trace.n_samples, trace.canvas_length, context_of(trace, last[0])[0].shape[1])
    from dgemma_viz.labs.inside.looked_at import LookedAt

    looks = {}
    for where, row in rows.items():
        known = float(trace.temperature[row])
        temperature = known if known > 0 else 1.0
        looks[where] = LookedAt(own, anatomy, kept, sample, variants[where], temperature, where[0])

    def around_pass(where: tuple[int, int], forward: Callable[..., Any], **inputs: Any) -> Any:
        if where not in looks:
            return forward(**inputs)
        output = looks[where].run(forward, inputs)
        looks[where].look_at_encoder(*context_of(trace, where[0]), inputs)
        return output

    again = replay(model, tokenizer, trace, until=last, around_pass=around_pass, on_step=on_step)
    if again.trace.n_steps <= rows[last]:
        raise TraceError(
            f"the repetition was stopped after {counted(again.trace.n_steps, 'step')}, before the one to look into"
        )
    agreements = {where: _agreement(again, row + 1) for where, row in rows.items()}
    if not even_if_diverged and any(agreement == DIVERGED for agreement, _ in agreements.values()):
        raise TraceError(
            f"this is not the recorded run, so its inside would be that of another: {again.explain()} To look anyway, "
            "pass even_if_diverged=True"
        )
    found = []
    for where in places:
        looked, (context, real) = looks[where], context_of(trace, where[0])
        facts = InsideFacts(
            **facts_of_model(own, anatomy),
            canvas=where[0],
            step=where[1],
            sample=sample,
            trace={name: getattr(trace.facts, name) for name in OF_THE_RUN},
            agreement=agreements[where][0],
            told=agreements[where][1],
            temperature=looked.temperature,
            **looked.facts,
        )
        found.append(
            Inside(
                context=context[sample],
                context_mask=real[sample],
                origin=_origin(trace, rows[where], sample),
                **looked.arrays,
                facts=facts,
                token_texts=texts_of(looked.arrays, context[sample], tokenizer),
            )
        )
    return found


def _place(where: Any) -> tuple[int, int]:
    try:
        canvas, step = where
    except (TypeError, ValueError) as error:
        raise SettingError(f"a place is a canvas and a step, like (0, 3), not {where!r:.60}") from error
    return checked_range("a canvas", canvas, -inf, whole=True), checked_range("a step", step, -inf, whole=True)


def _check_trace(trace: Trace, model: Any, tokenizer: Any) -> None:
    try:
        check_repeatable(trace, model, tokenizer)
    except TraceError as error:
        raise TraceError(
            f"{error}. Without a repetition there is no pass to look into; one pass on ids of your own, such as a "
            "noised canvas of this trace, works with dgemma_viz.labs.inside.inside_pass"
        ) from error


def _variants(kept: Kept, where: tuple[int, int], model: Any, tokenizer: Any) -> tuple[Intervention, ...]:
    """What is tried on the pass, with ids as tokens."""
    canvas, step = where
    if "variants" not in kept.parts or kept.variants == ():
        return ()
    if kept.variants is None:
        here: dict[str, Any] = {"canvas": canvas, "step": step, "steps": 1}
        return (
            (DropSelfConditioning(**here), CutSelfConditioning(1, **here), CutSelfConditioning(4, **here))
            if step
            else ()
        )
    for one in kept.variants:
        if not isinstance(one, Intervention):
            raise SettingError(f"{one!r:.80} is not an intervention")
        if not one.holds(canvas, step):
            raise SettingError(
                f"a variant must hold in canvas {canvas}, step {step}, and this does not: {one.describe()}"
            )
        if isinstance(one, ForcedDecision | ChangeParameters):
            raise SettingError(
                f"this changes what follows a pass, not the pass itself, so it is no variant: {one.describe()}"
            )
    return tuple(plan_for([one], model, tokenizer).interventions[0] for one in kept.variants)


def context_of(trace: Trace, canvas: int) -> tuple[Array, Array]:
    """Tokens in front of a canvas and which are real: ``(B, P)`` each; earlier canvases are part of them."""
    emitted = [trace.emitted[n][:, : trace.canvas_lengths[n]] for n in range(canvas)]
    ids = np.concatenate([trace.prompt, *emitted], axis=1)
    mask = np.ones(ids.shape, dtype=bool)
    mask[:, : trace.prompt.shape[1]] = trace.prompt_mask
    return ids, mask


def _origin(trace: Trace, place: int, sample: int) -> Array:
    """What a step found at each position, by the decisions of the steps before it."""
    steps = np.flatnonzero((trace.canvas == trace.canvas[place]) & (np.arange(trace.n_steps) < place))
    accepted = is_accepted(trace.decision[steps, sample])
    origin = np.full(trace.canvas_length, Origin.NOISE, dtype=np.uint8)
    if len(steps):
        origin[accepted.any(axis=0)] = Origin.RENOISED
        origin[accepted[-1]] = Origin.ACCEPTED
    return origin


def _agreement(again: Replay, steps: int) -> tuple[str, str]:
    """How the repetition compares with the trace over its first steps, and the sentence that says so."""
    if steps < again.trace.n_steps and not again.identical:
        original, repeated = cut(again.original, steps), cut(again.trace, steps)
        again = Replay(original, repeated, first_difference(original, repeated))
    if again.identical:
        return IDENTICAL, again.explain()
    return SAME_DECISIONS if again.same else DIVERGED, again.explain()


def facts_of_model(model: Any, anatomy: Anatomy) -> dict[str, Any]:
    """What an inside says of the model, whatever pass it is of."""
    return {
        "way": anatomy.way,
        "model_id": model_id(model),
        "model_class": type(model).__name__,
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "versions": versions("torch", "transformers"),
        "attention": attention_implementation(anatomy.attention[0].config),
        "layer_types": anatomy.layer_types,
        "heads": int(anatomy.config.num_attention_heads),
        "experts": int(getattr(anatomy.config, "num_experts", 0) or 0),
    }


def texts_of(arrays: Mapping[str, Any], context: Array, tokenizer: Any) -> dict[int, str]:
    """Texts of all ids in the arrays of an inside."""
    parts = [part for part in arrays.values() if hasattr(part, "arrays")]
    held = [array for part in parts for name, array in part.arrays().items() if name in TOKENS]
    ids = np.unique(np.concatenate([np.ravel(one) for one in (context, arrays["noised"], arrays["draft"], *held)]))
    return TokenTexts(tokenizer_of(tokenizer)).of(ids.tolist())
