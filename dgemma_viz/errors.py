"""The exceptions that users meet. Each message says what was wrong and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.plain_text import printable
from dgemma_viz.redaction import without_secrets

if TYPE_CHECKING:
    from dgemma_viz.labs.sweep.result import Sweep
    from dgemma_viz.trace.model import Trace

_LONGEST_MESSAGE = 4000


class DgemmaVizError(Exception):
    """Base class: `except dgemma_viz.errors.DgemmaVizError` catches everything the package raises on purpose."""

    def __str__(self) -> str:
        """The message, printable, without secrets, and no book: it may quote files, prompts and other errors."""
        message = printable(without_secrets(super().__str__()))
        return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


class PromptError(DgemmaVizError, ValueError):
    """A prompt that cannot be encoded: empty, or with characters outside the tokenizer's vocabulary."""


class SettingError(DgemmaVizError, ValueError):
    """A parameter (steps, seed, entropy bound, a view's option, ...) outside its range."""


class WorkLimitError(DgemmaVizError, RuntimeError):
    """More work than the server that runs these pages allows a visitor."""


class RecordingError(DgemmaVizError, RuntimeError):
    """Recording cannot start or has nothing to give: unknown model class, nested recording, no run yet."""


class RunFailedError(DgemmaVizError, RuntimeError):
    """A run broke off with an exception after at least one step; ``trace`` holds what was recorded until then."""

    def __init__(self, message: str, trace: Trace) -> None:
        super().__init__(message)
        self.trace = trace


class SweepInterruptedError(DgemmaVizError, RuntimeError):
    """A sweep broke off because what ran it did, such as a worker process; ``sweep`` holds what was finished."""

    def __init__(self, message: str, sweep: Sweep) -> None:
        super().__init__(message)
        self.sweep = sweep


class TraceError(DgemmaVizError, ValueError):
    """A trace whose arrays do not fit together, or a canvas, step or sample that it does not have."""


class TraceFileError(TraceError):
    """A file that is not a readable trace: truncated, foreign, of a newer schema, or inconsistent."""


class MissingDependencyError(DgemmaVizError, ImportError):
    """An optional package that this feature needs is not installed, or not in a version that goes with the others."""
