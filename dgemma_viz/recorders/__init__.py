"""Recorders: watch a sampler's own loop and reduce every decision it makes to a :class:`~dgemma_viz.trace.model.Trace`.

The only layer that knows a sampler's internals. ``import dgemma_viz.recorders`` imports neither torch nor transformers;
the recorder of a model's class is imported when :func:`record` meets such a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.registry import recorder_for
from dgemma_viz.recorders.run_buffer import RecorderWarning, StaleSamplerWarning
from dgemma_viz.recorders.step_record import StepRecord

__all__ = ["RecorderWarning", "Recording", "StaleSamplerWarning", "StepRecord", "record"]


def record(
    model: Any,
    tokenizer: Any = None,
    *,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
    mask_token_id: int | None = None,
) -> Recording:
    """Record every ``generate()`` call of a model inside a ``with`` block, without changing what it does.

    Parameters
    ----------
    model
        A ``DiffusionGemmaForBlockDiffusion``, another model with transformers' own ``generate()``, diffusers'
        ``DiffusionGemmaPipeline`` or ``LLaDA2Pipeline``, mlx-vlm's DiffusionGemma, or any torch model of tokens that
        denoises by forward passes (LLaDA, Dream, SDAR, ...), whatever function drives it. Of such a model the passes
        are watched, and decisions inferred from what the next pass reads (:mod:`dgemma_viz.recorders.any_loop`); hand
        over what a function beside it returns with ``recording.result(ids)``. A model may be inside a wrapper of PEFT,
        ``torch.compile`` or data-parallel training. Active adapters are named in ``facts.settings["adapters"]``.
    tokenizer
        Its tokenizer, or the processor that holds it; None leaves the trace without token texts.
    top_k
        Alternatives kept per position and step, at most the size of the vocabulary.
    on_step
        Called after each denoising step with a :class:`StepRecord`. It runs inside the generation, so the generation
        waits for it. Its exceptions do not end the generation: the first is warned of, and it is not called again.
        ``KeyboardInterrupt`` passes on and so ends the run.
    task
        Facts to keep with the trace (name, reference answer, ...), JSON types only.
    mask_token_id
        Of a model whose passes are watched: the id that stands for noise, where tokenizer, config and code do not say;
        -1 where noise is any token of the vocabulary.

    Returns
    -------
    Recording
        A context manager; ``recording.trace`` is the last run, ``recording.traces`` are all.

    Raises
    ------
    RecordingError
        The model's class is not supported, its ``generate()`` is that of a part, the tokenizer does not match the
        model, or ``task`` is not JSON; and, on entering the block, the model is being recorded already.
    MissingDependencyError
        Installed versions do not run this pipeline together.
    SettingError
        ``top_k`` is less than 1; or ``mask_token_id`` was given for a sampler that says itself what noise is.

    Examples
    --------
    >>> with record(model, tokenizer) as recording:
    ...     model.generate(**inputs)
    >>> recording.trace.output_text()
    """
    found, options = recorder_for(model), {}
    if found.entry.by_passes:
        options = {"around": found.around, "mask_token_id": mask_token_id}
    elif mask_token_id is not None:
        raise SettingError(
            f"mask_token_id is for models whose passes are watched; the sampler of {found.entry.shown_as} says itself "
            "what stands for noise. Leave it out"
        )
    return found.recorder()(found.model, tokenizer, top_k=top_k, on_step=on_step, task=task, **options)
