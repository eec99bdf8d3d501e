"""The recorder of a model that transformers' ``generate()`` can run from left to right, and a loop may denoise with.

Many mask-token models inherit ``generate()`` and are run by a function beside the class; others come with a
``generate()`` of their own; and a causal model's weights may be adapted to denoise. Neither name nor config tells, so
both ways are watched, and each call is what it is seen to do: transformers' loop asks for its logits processors, a
loop that denoises reads masks. A model that names no mask token is watched for the first alone, unless its own
``generate()`` never comes to that loop (:mod:`dgemma_viz.recorders.own_generate`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.any_loop import AnyLoopRecording
from dgemma_viz.recorders.causal_generate import CausalRecording
from dgemma_viz.recorders.causal_passes import CausalRun
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.recorders.own_generate import leaves_the_loop, part_that_generates
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.trace.model import Trace


class EitherRecording(AnyLoopRecording):
    """Recording of a model that may be run in either way; see the module."""

    def __init__(self, model: Any, tokenizer: Any, *, mask_token_id: int | None = None, **options: Any) -> None:
        if part := part_that_generates(model):
            raise RecordingError(
                f"cannot record this model: the generate() of {type(model).__name__} hands over to that of its part "
                f"{part!r}, so none of its steps would be seen. Record that part: dv.record(model.{part}, ...)"
            )
        super().__init__(model, tokenizer, mask_token_id=mask_token_id, **options)
        denoises = mask_token_id is not None or leaves_the_loop(model)
        self._watches = denoises or bool(self._masks)
        self._causal: CausalRecording | None = None
        if not denoises:
            causal = {name: value for name, value in options.items() if name not in ("around", "on_step")}
            told = None if self._masks else options.get("on_step")
            self._causal = CausalRecording(model, tokenizer, on_step=told, **causal)
            self._causal.share(self._runs)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook both loops."""
        if self._watches:
            super().install(hooks)
        if self._causal:
            self._causal.install(hooks)

    def _around_forward(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._causal and self._causal.is_decoding:
            return original(*args, **kwargs)
        return super()._around_forward(original, *args, **kwargs)

    def _has_steps(self, run: Run) -> bool:
        if self._causal and isinstance(run, CausalRun):
            return run.ended and self._causal.has_steps(run)
        return super()._has_steps(run)

    def _trace_of(self, run: Run) -> Trace:
        if self._causal and isinstance(run, CausalRun):
            return self._causal.trace_of(run)
        return super()._trace_of(run)

    def _why_nothing(self) -> str:
        if self._causal and not (self._watches and self._passes):
            return self._causal.why_nothing()
        return super()._why_nothing()
