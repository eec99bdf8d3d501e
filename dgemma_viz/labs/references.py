"""Which right answer belongs to a prompt: the caller's, or that of the bundled task that the prompt is of."""

from __future__ import annotations

from collections.abc import Mapping

from dgemma_viz.analysis.reference import Reference, verdict_of
from dgemma_viz.errors import PromptError


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


def is_right(prompt: str, output: str, references: Reference | Mapping[str, Reference] | None = None) -> bool | None:
    """Whether an output is right, white space around it aside; None where the prompt has no reference.

    Raises
    ------
    SettingError
        The reference is not one, or its function failed.
    """
    reference = reference_of(prompt, references)
    if reference is None:
        return None
    verdict = verdict_of(reference, prompt, output)
    return verdict if isinstance(verdict, bool) else verdict.strip() == output.strip()
