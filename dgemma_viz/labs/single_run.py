"""One seeded, recorded run of a DiffusionGemma on one prompt: the same path for the bundled and the released model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dgemma_viz.errors import RunFailedError, SettingError
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.recorded_call import recorded_call, with_task
from dgemma_viz.labs.seeds import checked_seed
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace import Trace

_MOST_STEPS = 1000


@dataclass(frozen=True)
class RunSettings:
    """What may be chosen for a run; None leaves the model's own generation config in force.

    Attributes
    ----------
    seed
        Given to ``torch.manual_seed``.
    max_denoising_steps
        Most denoising steps per canvas. Also sets the temperature schedule, which runs over this number of steps.
    entropy_bound
        In nats.
    max_new_tokens
        Rounded up to whole canvases by ``generate()``.
    top_k
        Alternatives kept per position.

    Raises
    ------
    SettingError
        On construction, for a value out of range.
    """

    seed: int = 0
    max_denoising_steps: int | None = None
    entropy_bound: float | None = None
    max_new_tokens: int | None = None
    top_k: int = 8

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        steps = self.max_denoising_steps
        if steps is not None and not 1 <= steps <= _MOST_STEPS:
            raise SettingError(f"{steps} denoising steps is out of range; choose from 1 to {_MOST_STEPS}")
        bound = self.entropy_bound
        if bound is not None and not (bound > 0 and math.isfinite(bound)):
            raise SettingError(f"entropy bound {bound} is out of range; choose a number of nats above 0, e.g. 0.1")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise SettingError(f"{self.max_new_tokens} new tokens is out of range; choose 1 or more")
        if self.top_k < 1:
            raise SettingError(f"top-k of {self.top_k} is out of range; choose 1 or more")

    def generate_arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``DiffusionGemmaForBlockDiffusion.generate``."""
        arguments: dict[str, Any] = {}
        if self.max_denoising_steps is not None:
            arguments["max_denoising_steps"] = self.max_denoising_steps
        if self.max_new_tokens is not None:
            arguments["max_new_tokens"] = self.max_new_tokens
        if self.entropy_bound is not None:
            from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig

            arguments["sampler_config"] = EntropyBoundSamplerConfig(entropy_bound=float(self.entropy_bound))
        return arguments


def load_model(name: str | None = None) -> tuple[Any, Any]:
    """Model and tokenizer: the bundled ones, or those of a folder or hub id.

    Raises
    ------
    SettingError
        ``name`` is neither a folder with a DiffusionGemma nor a hub id that can be reached.
    """
    if name is None:
        from dgemma_viz.tiny import load_tiny

        return load_tiny()
    from transformers import AutoTokenizer

    from dgemma_viz.upstream.transformers import DiffusionGemmaForBlockDiffusion

    # Spreading a large model over devices needs accelerate (the extra "large"); without it the model is on the CPU.
    placement = {"device_map": "auto"} if find_spec("accelerate") else {}
    try:
        model = DiffusionGemmaForBlockDiffusion.from_pretrained(name, dtype="auto", **placement)
        return model.eval(), AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, ImportError) as error:
        kind = "folder" if Path(name).exists() else "hub id"
        raise SettingError(f"no DiffusionGemma could be loaded from the {kind} '{name}': {error}") from error


def record_run(
    model: Any,
    tokenizer: Any,
    prompt: str,
    settings: RunSettings | None = None,
    *,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
) -> Trace:
    """Seed torch, run the model's own ``generate()`` under :func:`dgemma_viz.record`, return the trace.

    Its task facts hold the prompt and, for a prompt of a task of the bundled model, that task's name and as reference
    the right answer (the one nearest to the output, where there are several), unless ``task`` says otherwise.

    A run that is interrupted (``on_step`` raising ``KeyboardInterrupt``, or Ctrl-C) gives its trace so far, with
    ``facts.status == "interrupted"``.

    Raises
    ------
    RunFailedError
        ``generate()`` failed after at least one step; the error holds the trace so far. An exception before that
        passes on.
    """
    settings = settings or RunSettings()
    inputs = {name: tensor.to(model.device) for name, tensor in encode(tokenizer, prompt).items()}
    arguments = settings.generate_arguments()

    def run() -> object:
        return model.generate(**inputs, **arguments)

    try:
        trace = recorded_call(model, tokenizer, run, seed=settings.seed, top_k=settings.top_k, on_step=on_step)
    except RunFailedError as error:
        raise RunFailedError(str(error), with_task(error.trace, [prompt], task)) from error
    return with_task(trace, [prompt], task)
