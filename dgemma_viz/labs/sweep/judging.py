"""Whether an output is right, from its text alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.references import is_right


def right_of(prompt: str, output: str, checker: Reference | Mapping[str, Reference] | None) -> tuple[bool | None, str]:
    """Whether the output is right (white space around it aside), or None without a reference; and what went wrong."""
    try:
        return is_right(prompt, output, checker), ""
    except SettingError as error:
        return None, f"not judged: {error}"


def check_checker(checker: Any) -> None:
    """Raise SettingError unless it is a reference, or a mapping from prompt to reference."""
    for one in checker.values() if isinstance(checker, Mapping) else [checker]:
        if one is not None and not isinstance(one, str) and not callable(one):
            raise SettingError(
                "a checker is the right answer as text, a function of prompt and completion, or a mapping from prompt "
                f"to one of these, not a {type(one).__name__}"
            )
