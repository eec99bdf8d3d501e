"""The exceptions that users meet. Each message says what was wrong and what to do about it.

Every layer raises them, so this module imports none: what an error carries (a trace, a sweep) is untyped here.
"""

from __future__ import annotations

from typing import Any

from dgemma_viz.plain_text import printable
from dgemma_viz.redaction import without_secrets

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
    """A run broke off with an exception after at least one step.

    Attributes
    ----------
    trace
        The :class:`~dgemma_viz.trace.Trace` of what was recorded until then.
    """

    def __init__(self, message: str, trace: Any) -> None:
        super().__init__(message)
        self.trace = trace


class SweepInterruptedError(DgemmaVizError, RuntimeError):
    """A sweep broke off because what ran it did, such as a worker process.

    Attributes
    ----------
    sweep
        The :class:`~dgemma_viz.labs.sweep.result.Sweep` with what was finished.
    """

    def __init__(self, message: str, sweep: Any) -> None:
        super().__init__(message)
        self.sweep = sweep


class TraceError(DgemmaVizError, ValueError):
    """A trace whose arrays do not fit together, or a canvas, step or sample that it does not have."""


class TraceFileError(TraceError):
    """A file that is not a readable trace: truncated, foreign, of a newer schema, or inconsistent."""


class MissingDependencyError(DgemmaVizError, ImportError):
    """An optional package that this feature needs is not installed, or not in a version that goes with the others."""
