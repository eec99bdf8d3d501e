"""One call of a sampler's loop, seeded and recorded; an interrupt or a failure half-way keeps the trace so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import PromptError, RunFailedError
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace
from dgemma_viz.trace.task import RunTask


def recorded_call(  # noqa: PLR0913 - all but the first three are optional, and named
    recordable: Any,
    tokenizer: Any,
    run: Callable[[], object],
    *,
    seed: int = 0,
    generator_state: npt.NDArray[np.uint8] | None = None,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    around: Callable[[Any], AbstractContextManager[Any]] | None = None,
) -> Trace:
    """Seed torch's generator, or restore its state, and run under :func:`dgemma_viz.record`.

    Parameters
    ----------
    recordable, tokenizer, top_k, on_step
        As for :func:`dgemma_viz.record`.
    run
        Runs the loop once.
    seed
        For ``torch.manual_seed``; not used if there is a state.
    generator_state
        ``Trace.generator_state`` of a run on the same kind of device.
    around
        From ``recordable`` to a context manager that is entered inside the recording, before the loop runs.

    Raises
    ------
    RunFailedError
        The loop failed after at least one step; the error holds the trace so far. An exception before that passes on,
        and so does an interrupt; a later interrupt gives the trace so far.
    """
    import torch

    from dgemma_viz.recorders import record

    recording = record(recordable, tokenizer, top_k=top_k, on_step=on_step)
    try:
        with recording, nullcontext() if around is None else around(recordable):
            torch.manual_seed(seed)
            if generator_state is not None:
                _restore(torch.device(recordable.device), torch.from_numpy(generator_state.copy()))
            run()
    except KeyboardInterrupt:
        if not recording.traces:
            raise
    except Exception as error:
        if not recording.traces:
            raise
        trace = recording.traces[-1]
        raise RunFailedError(f"the run failed after {trace.n_steps} steps with {text_of(error)}", trace) from error
    return recording.traces[-1]


def with_task(trace: Trace, prompts: Sequence[str], task: Mapping[str, Any] | None) -> Trace:
    """The trace with its task facts: the prompt and, for a task of the bundled model, its name and the right answer.

    Of several right answers it is the one nearest to the output. A batch has ``prompts`` instead. ``task`` goes before.
    """
    known: dict[str, Any] = {"prompts": list(prompts)}
    if len(prompts) == 1:
        known = {"prompt": prompts[0]} | _reference(prompts[0], trace.output_text())
    whole = RunTask.of({**known, **trace.facts.task.to_json(), **(task or {})})
    return replace(trace, facts=replace(trace.facts, task=whole))


def _reference(prompt: str, output: str) -> dict[str, str]:
    from dgemma_viz.tiny.tasks import task_of

    try:
        task = task_of(prompt)
        return {"name": task.name, "reference": task.right_answer(prompt, output)}
    except PromptError:
        return {}


def _restore(device: Any, state: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
