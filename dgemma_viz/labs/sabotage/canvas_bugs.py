"""Plants that break what a denoising step leaves behind: the next canvas, and the rows that have finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import DENOISING_STEP


@contextmanager
def argmax_canvas(model: Any) -> Iterator[None]:
    """Let the next step read the whole draft, in place of accepted candidates among random tokens."""

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        _, draft, self_conditioning, finished = original(*args, **kwargs)
        return draft.clone(), draft, self_conditioning, finished

    with InstanceHooks() as hooks:
        hooks.wrap(model, DENOISING_STEP, step)
        yield


@contextmanager
def thawed_rows(model: Any) -> Iterator[None]:
    """Denoise samples that have finished along with the others."""

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        import torch

        finished_before = kwargs["finished_denoising"].clone()
        kwargs["finished_denoising"] = torch.zeros_like(finished_before)
        canvas, draft, self_conditioning, finished = original(*args, **kwargs)
        return canvas, draft, self_conditioning, finished | finished_before

    with InstanceHooks() as hooks:
        hooks.wrap(model, DENOISING_STEP, step)
        yield
