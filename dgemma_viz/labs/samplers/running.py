"""Run a sampler on prompts: the library's own loop, seeded and recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.recorded_call import recorded_call, with_task
from dgemma_viz.labs.samplers.table import sampler_named
from dgemma_viz.labs.seeds import checked_seed
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace import Trace


def run_sampler(  # noqa: PLR0913 - everything but what to run is optional, and named
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str] | Mapping[str, Any],
    sampler: str = "entropy_bound",
    parameters: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    generator_state: npt.NDArray[np.uint8] | None = None,
    max_new_tokens: int | None = None,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
    around: Callable[[Any], AbstractContextManager[Any]] | None = None,
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
        Key of :data:`~dgemma_viz.labs.samplers.SAMPLERS`.
    parameters
        Of the sampler; the model's generation config and the library's defaults rule the rest.
    seed
        Given to ``torch.manual_seed``, unless there is a ``generator_state`` to begin from.
    max_new_tokens
        Rounded up to whole canvases by the loops.
    top_k, on_step
        As for :func:`dgemma_viz.record`. ``KeyboardInterrupt`` from ``on_step`` ends the run within that step; the
        trace so far is returned.
    task
        More facts for ``trace.facts.task``, which says what is needed to repeat the run: ``sampler``, ``parameters``.
    around
        From the recorded model or pipeline to a context manager that is entered while the loop runs: hooks of an
        experiment.

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
        The loop failed after at least one step; the error holds the trace so far.
    """
    chosen = sampler_named(sampler)
    given, seed = chosen.checked(parameters), checked_seed(seed)
    if max_new_tokens is not None and max_new_tokens < 1:
        raise SettingError(f"{max_new_tokens} new tokens is out of range; choose 1 or more")
    chosen.need_library()
    chosen.need_model(model)
    texts, inputs = _texts_and_ids(tokenizer, prompts)
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    prepared = chosen.prepare(model, tokenizer, inputs, given, max_new_tokens)
    facts = {"sampler": chosen.name, "parameters": given, **(task or {})}
    try:
        trace = recorded_call(
            prepared.recordable,
            tokenizer,
            prepared.run,
            seed=seed,
            generator_state=generator_state,
            top_k=top_k,
            on_step=on_step,
            around=around,
        )
    except RunFailedError as error:
        raise RunFailedError(str(error), with_task(error.trace, texts, facts)) from error
    return with_task(trace, texts, facts)


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
