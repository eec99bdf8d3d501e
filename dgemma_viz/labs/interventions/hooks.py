"""Interventions as hooks of whatever loop runs: for ``run(..., hooks=...)``, or a call of one's own.

This is the way to intervene in fresh runs, for instance in many with different seeds; to change a run that was recorded
there is :func:`~dgemma_viz.labs.interventions.intervene`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.plan import AroundPass, Plan, plan_of
from dgemma_viz.labs.samplers import SAMPLERS, Sampler
from dgemma_viz.recorders.registry import unwrapped
from dgemma_viz.trace.interventions.activations import ChangedActivation
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.trace.interventions.run_conditions import ChangeParameters


def hooks_of(
    interventions: Sequence[Intervention], model: Any, tokenizer: Any, *, around_pass: AroundPass | None = None
) -> Callable[[Any], AbstractContextManager[None]]:
    """A function from the running model or pipeline to a context manager that carries the interventions out.

    A recording must be entered before, as ``run(..., hooks=...)`` does: only then does the trace show what
    really ran. The trace does not know by itself that there were interventions; tell it, with
    ``task={"interventions": [one.to_json() for one in interventions]}``.

    Parameters
    ----------
    interventions
        What to change; see the classes of :mod:`dgemma_viz.labs.interventions`.
    model, tokenizer
        That run.
    around_pass
        See :data:`~dgemma_viz.labs.interventions.plan.AroundPass`; interventions may then be none.

    Raises
    ------
    SettingError
        At once: a position outside the canvas, an unknown token, two that contradict each other, or nothing to do. On
        entering: the sampler cannot do it. In the first step: a sample that the batch does not have.
    """
    plan = Plan() if around_pass and not interventions else plan_for(interventions, model, tokenizer)
    return lambda recordable: _hooked(recordable, plan, around_pass)


def plan_for(interventions: Sequence[Intervention], model: Any, tokenizer: Any) -> Plan:
    """Interventions judged against a model, or a pipeline's.

    Raises
    ------
    SettingError
        The model is no DiffusionGemma; and as :func:`~dgemma_viz.labs.interventions.plan.plan_of`.
    """
    model = model_of(model)
    config = getattr(model, "config", None)
    length, text = getattr(config, "canvas_length", None), getattr(config, "text_config", None)
    if length is None or text is None:
        raise SettingError(f"interventions know DiffusionGemma only; a {type(model).__name__} has no canvas")
    plan = plan_of(interventions, tokenizer, int(text.vocab_size), int(length))
    _check_modules(plan, model)
    return plan


def _check_modules(plan: Plan, model: Any) -> None:
    """Raise SettingError for a module that the model does not have."""
    for one in plan.interventions:
        if isinstance(one, ChangedActivation):
            check_module(model, str(one.module))


def check_module(model: Any, name: str) -> None:
    """Raise SettingError, with names that are near, if a model has no module of this name."""
    names = [known for known, _ in model.named_modules()]
    if name not in names:
        near = get_close_matches(name, names, n=3, cutoff=0.3)
        raise SettingError(f"the model has no module {name!r:.80}; near are {', '.join(near) or 'none'}")


def model_of(model: Any) -> Any:
    """The model itself, in a wrapper or a pipeline."""
    model = unwrapped(model)
    return unwrapped(model.model) if hasattr(model, "scheduler") and hasattr(model, "model") else model


def _hooked(recordable: Any, plan: Plan, around_pass: AroundPass | None) -> AbstractContextManager[None]:
    recordable = unwrapped(recordable)
    sampler = _sampler_in(recordable)
    _check_parameters(plan, sampler)
    if sampler.library == "transformers":
        from dgemma_viz.labs.interventions.generate_hooks import hooked_generate

        return hooked_generate(recordable, plan, around_pass)
    from dgemma_viz.labs.interventions.pipeline_hooks import hooked_pipeline

    return hooked_pipeline(recordable, plan, around_pass)


def _sampler_in(recordable: Any) -> Sampler:
    """The sampler that will run: that of the loop's class, and in a pipeline of the scheduler's."""
    classes = {cls.__name__ for cls in type(recordable).__mro__}
    scheduler = type(getattr(recordable, "scheduler", None)).__name__
    for sampler in SAMPLERS.values():
        fits = sampler.library == "transformers" or sampler.decides == scheduler
        if fits and sampler.changeable is not None and sampler.loop in classes:
            return sampler
    raise SettingError(
        f"interventions in a {type(recordable).__name__} are not possible: they know transformers' DiffusionGemma, "
        "and diffusers' DiffusionGemmaPipeline with one of its own schedulers"
    )


def _check_parameters(plan: Plan, sampler: Sampler) -> None:
    """Raise SettingError for a parameter that cannot be changed, or not to that value."""
    known = {parameter.name: parameter for parameter in sampler.parameters}
    changeable = sampler.changeable or ()
    for one in plan.interventions:
        for name, value in one.values.items() if isinstance(one, ChangeParameters) else ():
            if name not in changeable:
                why = (
                    "is fixed once a run of '{}' has begun"
                    if name in known
                    else "is not a parameter of the sampler '{}'"
                )
                raise SettingError(
                    f"{name} {why.format(sampler.name)}; while it runs, {', '.join(changeable)} can be changed"
                )
            known[name].checked(value)
