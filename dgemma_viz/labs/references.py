"""Which right answer belongs to a prompt: the caller's, or that of the bundled task that the prompt is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dgemma_viz.errors import PromptError

if TYPE_CHECKING:
    from dgemma_viz.analysis.reference import Reference


def reference_of(prompt: str, references: Reference | Mapping[str, Reference] | None = None) -> Reference | None:
    """The reference of a prompt, or None where neither the caller nor a bundled task has one.

    Parameters
    ----------
    prompt
        As text.
    references
        One for all prompts, or a mapping from prompt to reference.
    """
    found = references.get(prompt) if isinstance(references, Mapping) else references
    if found is not None:
        return found
    from dgemma_viz.tiny.tasks import task_of

    try:
        task = task_of(prompt)
        task.validate_prompt(prompt)
    except PromptError:
        return None
    return task.right_answer
