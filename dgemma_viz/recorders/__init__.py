"""Recording: the only layer that knows a sampler's internals. Importing it imports neither torch nor transformers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.recording import Recording, RecordingWarning, StaleSamplerWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dgemma_viz.recorders.step_record import StepRecord

RECORDERS = {"DiffusionGemmaGenerationMixin": "dgemma_viz.recorders.diffusion_gemma:DiffusionGemmaRecording"}
"""Name of a class that a recordable model inherits from, to the recording that understands it."""

__all__ = ["RECORDERS", "Recording", "RecordingWarning", "StaleSamplerWarning", "record"]


def record(
    model: Any,
    tokenizer: Any = None,
    *,
    top_k: int = 8,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
) -> Recording:
    """Record every ``generate()`` call of ``model`` in a ``with`` block, without changing its result.

    Parameters
    ----------
    model
        A ``transformers.DiffusionGemmaForBlockDiffusion``.
    tokenizer
        Its tokenizer or processor, for readable tokens; None records ids alone.
    top_k
        Alternatives kept per position and step.
    on_step
        Called after each denoising step with a :class:`~dgemma_viz.recorders.step_record.StepRecord`. If it fails, it
        is not called again and the run goes on; a ``KeyboardInterrupt`` that it raises ends the run.
    task
        Facts about the task, kept in the trace: JSON values, e.g. ``{"name": "sudoku", "reference": "..."}``.

    Returns
    -------
    Recording
        After the block (or inside, after the call), ``.trace`` is the newest run and ``.traces`` are all.

    Raises
    ------
    RecordingError
        The model is of a class that no recorder knows, is being recorded already, or does not fit the tokenizer.

    Examples
    --------
    >>> with dv.record(model, tokenizer) as recording:
    ...     model.generate(**inputs)
    >>> recording.trace.save("run.safetensors")
    """
    for base in type(model).__mro__:
        if base.__name__ in RECORDERS:
            module, name = RECORDERS[base.__name__].split(":")
            kind: type[Recording] = getattr(import_module(module), name)
            tokenizer = getattr(tokenizer, "tokenizer", None) or tokenizer
            return kind(model, tokenizer, top_k=top_k, on_step=on_step, task=task)
    raise RecordingError(
        f"a {type(model).__module__}.{type(model).__name__} cannot be recorded; what can be is a "
        "transformers.DiffusionGemmaForBlockDiffusion (give the model itself, not a wrapper around it)"
    )
