"""Which recorder belongs to which model. Models are told by their classes' names, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.upstream import mlx_vlm
from dgemma_viz.upstream.torch_compile import COMPILED_MODULE


@dataclass(frozen=True)
class Supported:
    """A class of models, by a name in its method resolution order, and where its recorder lives."""

    loop: str
    """Class that holds the sampling loop which is hooked, or that the loop is made for; with its module where its name
    alone says little."""
    shown_as: str
    """Name of the models for users."""
    module: str
    recorder: str
    by_passes: bool = False
    """Whether the recorder watches passes, so that wrappers and the mask token matter to it."""


SUPPORTED = (
    Supported(
        loop="DiffusionGemmaGenerationMixin",
        shown_as="DiffusionGemmaForBlockDiffusion (transformers)",
        module="dgemma_viz.recorders.diffusion_gemma",
        recorder="DiffusionGemmaRecording",
    ),
    Supported(
        loop="DiffusionGemmaPipeline",
        shown_as="DiffusionGemmaPipeline (diffusers)",
        module="dgemma_viz.recorders.diffusers_diffusion_gemma",
        recorder="DiffusionGemmaPipelineRecording",
    ),
    Supported(
        loop="LLaDA2Pipeline",
        shown_as="LLaDA2Pipeline (diffusers)",
        module="dgemma_viz.recorders.diffusers_llada2",
        recorder="LLaDA2PipelineRecording",
    ),
    Supported(
        loop="GenerationMixin",
        shown_as="any causal model's generate() (transformers)",
        module="dgemma_viz.recorders.either_loop",
        recorder="EitherRecording",
        by_passes=True,
    ),
    Supported(
        loop=mlx_vlm.MODEL,
        shown_as="DiffusionGemma in mlx-vlm",
        module="dgemma_viz.recorders.mlx_diffusion_gemma",
        recorder="MlxDiffusionGemmaRecording",
    ),
)

ANY_LOOP = Supported(
    loop="Module",
    shown_as="any torch model of tokens that denoises by forward passes",
    module="dgemma_viz.recorders.any_loop",
    recorder="AnyLoopRecording",
    by_passes=True,
)
"""What is told by no name: a module of torch that embeds tokens."""


_HOLDERS = (COMPILED_MODULE, "module", "pretrained_model")
"""Attributes in which wrappers keep the model: ``torch.compile``, data-parallel training, TRL."""


@dataclass(frozen=True)
class Found:
    """What records a model.

    Attributes
    ----------
    entry
        How it is known.
    model
        The model to hook: what was given, or what that wraps.
    around
        What wraps it, outermost first.
    """

    entry: Supported
    model: Any
    around: tuple[Any, ...]

    def recorder(self) -> type[Recording]:
        """The recorder's class, imported now."""
        found: type[Recording] = getattr(import_module(self.entry.module), self.entry.recorder)
        return found


def recorder_for(model: Any) -> Found:
    """What records a model.

    Raises
    ------
    RecordingError
        No recorder knows the model's class, and it is no torch model of tokens.
    """
    if found := _found(model) or _any_loop(model):
        return found
    known = ", ".join(entry.shown_as for entry in (*SUPPORTED, ANY_LOOP))
    given = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
    raise RecordingError(
        f"cannot record {given}: recording knows {known}. Pass the loaded model or "
        "pipeline itself (not its name or its class); for a loop of your own there is dv.Recorder"
    )


def unwrapped(model: Any) -> Any:
    """The model or pipeline that a recorder knows, in whatever wraps it; what was given if there is none."""
    found = _found(model)
    return found.model if found else model


def _found(model: Any) -> Found | None:
    around: list[Any] = []
    for candidate in _with_what_it_wraps(model):
        names = {name for cls in type(candidate).__mro__ for name in (cls.__name__, f"{cls.__module__}.{cls.__name__}")}
        for entry in SUPPORTED:
            if entry.loop in names:
                return Found(entry, candidate, tuple(around))
        around.append(candidate)
    return None


def _any_loop(model: Any) -> Found | None:
    """The innermost of a chain of wrappers that is a torch module and embeds tokens."""
    chain = list(_with_what_it_wraps(model))
    fit = [number for number, candidate in enumerate(chain) if _embeds(candidate)]
    return Found(ANY_LOOP, chain[fit[-1]], tuple(chain[: fit[-1]])) if fit else None


def _embeds(candidate: Any) -> bool:
    is_module = any(cls.__name__ == "Module" and cls.__module__.startswith("torch.") for cls in type(candidate).__mro__)
    return is_module and any("embedding" in type(part).__name__.lower() for part in candidate.modules())


def _with_what_it_wraps(model: Any) -> Iterator[Any]:
    """A model, what it wraps, what that wraps, and so on, as far as a chain of wrappers may reasonably go."""
    for _ in range(8):
        if model is None or isinstance(model, type | ModuleType):
            return
        yield model
        model = _wrapped(model)


def _wrapped(model: Any) -> Any:
    """The model in a wrapper, PEFT's or one of :data:`_HOLDERS`; None if there is none."""
    if callable(base := getattr(model, "get_base_model", None)):
        return base()
    return next((found for name in _HOLDERS if (found := getattr(model, name, None)) is not None), None)
