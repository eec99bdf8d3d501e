"""``run(model, tokenizer, prompts, sampler, parameters)``: one call of a sampler's own loop, seeded and recorded.

Every experiment runs through here, and so do the panels. An interrupt or a failure half-way keeps the trace so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs.prompts import encode, task_facts
from dgemma_viz.labs.samplers import Prepared, Sampler, sampler_named
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders import record
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace
from dgemma_viz.trace.task import RunTask

LARGEST_SEED: Final = 2**63 - 1
"""What every generator of torch takes."""

Hooks = Callable[[Any], AbstractContextManager[Any]]
"""From the recorded model or pipeline to a context manager that is entered while the loop runs."""


def run(  # noqa: PLR0913 - everything but what to run is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str] | Mapping[str, Any],
    sampler: str | Sampler = "entropy_bound",
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    generator_state: npt.NDArray[np.uint8] | None = None,
    max_new_tokens: int | None = None,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> Trace:
    """Trace of one run of a sampler.

    Parameters
    ----------
    model, tokenizer
        Any DiffusionGemma with its tokenizer; for a sampler of mask noise, a mask-token model with its tokenizer.
    prompts
        One prompt; several, which run as ONE batch, padded on the left; or ``input_ids`` and ``attention_mask``,
        ``(B, P)``, that are there already. A batch draws from one random stream, so a prompt in a batch gives another
        run than alone.
    sampler
        Key of :data:`~dgemma_viz.labs.samplers.SAMPLERS`, or a sampler.
    parameters
        Of the sampler; the model's generation config and the library's defaults rule the rest.
    seed
        Given to ``torch.manual_seed``, unless there is a ``generator_state`` to begin from.
    generator_state
        ``Trace.generator_state`` of a run on the same kind of device.
    max_new_tokens
        Rounded up to whole canvases by the loops.
    top_k, on_step
        As for :func:`dgemma_viz.record`. ``KeyboardInterrupt`` from ``on_step`` ends the run within that step; the
        trace so far is returned, with ``facts.status == "interrupted"``.
    task
        More facts for ``trace.facts.task``. By itself it holds the prompt, ``sampler`` and ``parameters``, which
        repeat the run, and, for a prompt of a task of the bundled model, that task's name and as reference the right
        answer (the one nearest to the output, where there are several).
    hooks
        Of an experiment, such as :func:`~dgemma_viz.labs.interventions.hooks_of`: from the recorded model or pipeline
        to a context manager that is entered while the loop runs.

    Raises
    ------
    SettingError
        No such sampler, a parameter that is unknown or out of range, a seed that is, or a model of another kind than
        the sampler's.
    PromptError
        A prompt is empty or not in the tokenizer's words.
    MissingDependencyError
        The sampler's library is not installed.
    RunFailedError
        The loop failed after at least one step; the error holds the trace so far. An exception before that passes on.
    """
    chosen = sampler_named(sampler)
    given, seed = chosen.checked(parameters), checked_seed(seed)
    if max_new_tokens is not None:
        max_new_tokens = checked_range("max_new_tokens", max_new_tokens, 1, whole=True)
    chosen.need_library()
    chosen.need_model(model)
    texts, inputs = _texts_and_ids(tokenizer, prompts)
    if len(texts) > 1 and not chosen.batched:
        raise SettingError(f"the sampler '{chosen.name}' takes one prompt at a time, not {len(texts)}")
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    facts = {"sampler": chosen.name, "parameters": given, **(task or {})}

    def with_task(trace: Trace) -> Trace:
        output = trace.output_text() if len(texts) == 1 else ""
        return replace(trace, facts=replace(trace.facts, task=RunTask.of({**task_facts(texts, output), **facts})))

    return record_prepared(
        chosen.prepare(model, tokenizer, inputs, given, max_new_tokens),
        tokenizer,
        with_task,
        seed=seed,
        generator_state=generator_state,
        top_k=top_k,
        on_step=on_step,
        hooks=hooks,
    )


def record_prepared(  # noqa: PLR0913 - as run()
    prepared: Prepared,
    tokenizer: Any,
    finish: Callable[[Trace], Trace],
    *,
    seed: int = 0,
    generator_state: npt.NDArray[np.uint8] | None = None,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    hooks: Hooks | None = None,
) -> Trace:
    """Seed torch's generator, or restore its state, and run a loop that is set up already; see :func:`run`.

    ``finish`` completes the trace with what only the caller knows, also that of a run that failed or was interrupted.
    """
    import torch

    recordable = prepared.recordable
    recording = record(recordable, tokenizer, top_k=top_k, on_step=on_step)
    try:
        with recording, nullcontext() if hooks is None else hooks(recordable):
            torch.manual_seed(seed)
            if generator_state is not None:
                _restore(torch.device(recordable.device), torch.from_numpy(generator_state.copy()))
            prepared.run()
    except KeyboardInterrupt:
        if not recording.traces:
            raise
    except Exception as error:
        if not recording.traces:
            raise
        trace = finish(recording.traces[-1])
        raise RunFailedError(
            f"the run failed after {counted(trace.n_steps, 'step')} with {text_of(error)}", trace
        ) from error
    return finish(recording.traces[-1])


def checked_seed(seed: Any) -> int:
    """The seed, a whole number in the range of ``torch.manual_seed``; SettingError if it is none."""
    return checked_range("a seed", seed, 0, LARGEST_SEED, whole=True)


def _texts_and_ids(tokenizer: Any, prompts: str | Sequence[str] | Mapping[str, Any]) -> tuple[list[str], Any]:
    """Prompts as text, for the facts, and as ids. Text of given ids is what the tokenizer makes of them."""
    if isinstance(prompts, str):
        return [prompts], encode(tokenizer, prompts)
    if not isinstance(prompts, Mapping):
        return list(prompts), encode(tokenizer, prompts)
    ids = {name: prompts[name] for name in ("input_ids", "attention_mask")}
    rows = zip(ids["input_ids"].tolist(), ids["attention_mask"].bool().tolist(), strict=True)
    real = [[token for token, there in zip(row, mask, strict=True) if there] for row, mask in rows]
    return [tokenizer.decode(row, skip_special_tokens=True) for row in real], ids


def _restore(device: Any, state: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
