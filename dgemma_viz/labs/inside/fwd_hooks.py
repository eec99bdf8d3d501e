"""The escape for researchers: functions of what modules give in some steps of a recorded run, and their activations.

As in TransformerLens and nnsight: ``fwd_hooks=[(name, function)]``, and activations by name. What such a function does
is code, which a trace cannot hold; :class:`~dgemma_viz.labs.interventions.PatchActivation` and ``AddVector`` are the
same as data, which it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy.typing as npt

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.interventions.hooks import check_module, hooks_of, model_of
from dgemma_viz.labs.interventions.intervene import Intervened
from dgemma_viz.labs.interventions.repeatable import check_repeatable, place_of
from dgemma_viz.labs.interventions.replay import replay
from dgemma_viz.labs.interventions.rerun import rerun
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.interventions import recorded_interventions
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]


def run_with_hooks(
    model: Any,
    tokenizer: Any,
    trace: Trace,
    fwd_hooks: Sequence[tuple[str, Callable[[str, Any], Any]]],
    *,
    canvas: int,
    step: int,
    steps: int = 1,
) -> Intervened:
    """Run a recorded generation again, with functions of what modules give in some of its steps.

    Parameters
    ----------
    model, tokenizer, trace
        As for :func:`~dgemma_viz.labs.interventions.replay`.
    fwd_hooks
        Names and functions. A name is one of ``model.named_modules()``, such as ``"model.decoder.layers.2"``; with
        ``*`` it stands for all that match. A function is called with the module's name and the tensor that it gives
        (the first, if it gives several), on the model's device and for the whole batch; it returns another one of the
        same shape, or None and leaves it.
    canvas, step, steps
        From which step, and for how many.

    Returns
    -------
    Intervened
        The recorded run and this one; everything before the first hooked step is as recorded.

    Raises
    ------
    SettingError
        Before anything runs: no such step or module. In the run: a function gave something else than such a tensor.
    TraceError
        The trace lacks what is needed to repeat its run.
    RunFailedError
        The loop, or a function, failed after at least one step; the error holds the trace so far.

    Examples
    --------
    >>> def silence(name, tensor):
    ...     tensor[:, 5] = 0
    ...     return tensor
    >>> done = run_with_hooks(model, tokenizer, trace, [("model.decoder.layers.2", silence)], canvas=0, step=1)
    >>> dgemma_viz.compare(done.original, done.trace)
    """
    own = model_of(model)
    check_repeatable(trace, own, tokenizer)
    functions = _named(own, fwd_hooks)
    place_of(trace, canvas, step)
    steps = checked_range("steps", steps, 1, whole=True)
    from dgemma_viz.labs.interventions.hooked_modules import hooked_modules, runs_modules

    def around_pass(where: tuple[int, int], forward: Callable[..., Any], **inputs: Any) -> Any:
        if where[0] != canvas or not step <= where[1] < step + steps:
            return forward(**inputs)
        with hooked_modules(own, functions):
            return runs_modules(forward, own)(**inputs)

    names = tuple(dict.fromkeys(name for name, _ in functions))
    hooks = hooks_of(recorded_interventions(trace), model, tokenizer, around_pass=around_pass)
    again = rerun(model, tokenizer, trace, hooks=hooks, task={"hooked": list(names)})
    return Intervened(trace, again, (), (canvas, step), hooked=names)


def activations(
    model: Any, tokenizer: Any, trace: Trace, names: Sequence[str | int], *, canvas: int, step: int, sample: int = 0
) -> dict[str, Array]:
    """What modules gave in one step of a recorded run.

    Parameters
    ----------
    model, tokenizer, trace
        As for :func:`~dgemma_viz.labs.interventions.replay`.
    names
        Of modules, as for :func:`run_with_hooks`; a number stands for that layer of the decoder.
    canvas, step, sample
        Where.

    Returns
    -------
    dict
        By module name, float32: ``(C, width)`` of modules that give a tensor of samples, positions and width, else what
        they give for the whole batch. A row of it is what ``PatchActivation`` takes.

    Raises
    ------
    SettingError
        No such step, sample or module.
    TraceError
        The trace cannot be repeated, or its repetition is another run.
    """
    own = model_of(model)
    check_repeatable(trace, own, tokenizer)
    sample = checked_range("sample", sample, 0, trace.n_samples - 1, whole=True)
    place_of(trace, canvas, step)
    wanted = [f"model.decoder.layers.{name}" if isinstance(name, int) else name for name in names]
    found: dict[str, Array] = {}

    def keep(name: str, tensor: Any) -> None:
        of = tensor[sample] if tensor.ndim == 3 else tensor  # noqa: PLR2004 - samples, positions, width
        found[name] = of.detach().float().cpu().numpy().copy()

    functions = _named(own, [(name, keep) for name in wanted])
    from dgemma_viz.labs.interventions.hooked_modules import hooked_modules, runs_modules

    def around_pass(where: tuple[int, int], forward: Callable[..., Any], **inputs: Any) -> Any:
        if where != (canvas, step):
            return forward(**inputs)
        with hooked_modules(own, functions):
            return runs_modules(forward, own)(**inputs)

    again = replay(model, tokenizer, trace, until=(canvas, step), around_pass=around_pass)
    if not again.same:
        raise TraceError(f"this is not the recorded run, so these would be another's activations: {again.explain()}")
    return found


def _named(model: Any, hooks: Sequence[tuple[str, Callable[[str, Any], Any]]] | Mapping[str, Any]) -> list[Any]:
    """Every module that is named, with its function.

    Raises
    ------
    SettingError
        There is none of a name, or nothing to call.
    """
    pairs = list(hooks.items()) if isinstance(hooks, Mapping) else list(hooks)
    if not pairs:
        raise SettingError('there are no hooks: give at least one, as [("model.decoder.layers.0", function)]')
    known = [name for name, _ in model.named_modules() if name]
    named = []
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str) or not callable(pair[1]):  # noqa: PLR2004 - name, function
            raise SettingError(f"a hook is a pair of a module's name and a function, not {pair!r:.80}")
        matching = [name for name in known if fnmatchcase(name, pair[0])]
        if not matching:
            check_module(model, pair[0])
        named += [(name, pair[1]) for name in matching]
    return named
