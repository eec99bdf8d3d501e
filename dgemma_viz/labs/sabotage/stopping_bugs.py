"""Plants that break the stop rule: its window, what it takes its entropy from, and its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import PREPARE_STOPPING


@contextmanager
def short_window(model: Any) -> Iterator[None]:
    """Take ``stability_threshold`` for the number of equal drafts: one fewer comparison than it asks for."""
    from dgemma_viz.upstream.transformers import StableAndConfidentStoppingCriteria

    def prepare(original: Callable[..., Any], config: Any) -> Any:
        criterion = original(config)
        if criterion is None:
            return None
        window = max(criterion.stability_threshold - 1, 0)
        return StableAndConfidentStoppingCriteria(window, criterion.confidence_threshold)

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_STOPPING, prepare)
        yield


@contextmanager
def forgetful_criterion(model: Any) -> Iterator[None]:
    """Forget the last draft before each comparison, so that none is ever unchanged."""

    def judge(criterion: Any, original: Callable[..., Any], *args: Any) -> Any:
        criterion.reset()
        return original(*args)

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_STOPPING, _with_judgement(judge))
        yield


@contextmanager
def raw_confidence(model: Any) -> Iterator[None]:
    """Judge confidence by the entropy of the raw logits, before temperature."""
    last: list[Any] = []

    def forward(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        last[:] = [output.logits]
        return output

    def judge(_criterion: Any, original: Callable[..., Any], draft: Any, _processed: Any) -> Any:
        return original(draft, last[0])

    with InstanceHooks() as hooks:
        hooks.wrap(model, "forward", forward)
        hooks.wrap(model, PREPARE_STOPPING, _with_judgement(judge))
        yield


def _with_judgement(judge: Callable[..., Any]) -> Callable[..., Any]:
    """Around the preparation of the stop rule: ``judge(criterion, its own __call__, draft, logits)`` decides."""

    def prepare(original: Callable[..., Any], config: Any) -> Any:
        criterion = original(config)
        if criterion is None:
            return None

        class Judging(type(criterion)):  # type: ignore[misc]
            def __call__(self, draft: Any, logits: Any) -> Any:
                return judge(self, super().__call__, draft, logits)

        criterion.__class__ = Judging
        return criterion

    return prepare
