"""HTML that is escaped as it is built: whatever is put into a tag is text, unless it is :class:`Markup` already.

What is built goes to a host as plain text, ``str(tag(...))`` or :func:`plain`: encoders of JSON that are as strict as
marimo's refuse any subclass of ``str``.

>>> tag("td", "a < b", tag("br"), scope="row", class_="first")
'<td scope="row" class="first">a &lt; b<br></td>'
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

_VOID = {"br", "hr", "img", "input"}


class Markup(str):
    """A piece of HTML; everything else counts as text and is escaped."""

    __slots__ = ()


def markup(*children: object) -> Markup:
    """Children one after the other: HTML as it is, anything else as text; lists are opened, None and False left out."""
    return Markup("".join(map(_html, children)))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element.

    Parameters
    ----------
    name
        Such as ``"td"``.
    children
        As for :func:`markup`.
    attributes
        ``class_`` is written ``class``, ``aria_label`` is ``aria-label``. True stands for a name alone; None and False
        leave it out.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    words = [
        f' {key}="{escape(str(value))}"'
        for key, value in given.items()
        if not (value is None or isinstance(value, bool))
    ]
    words += [f" {key}" for key, value in given.items() if value is True]
    return Markup(f"<{name}{''.join(words)}>{'' if name in _VOID else f'{markup(*children)}</{name}>'}")


def plain(value: Any) -> Any:
    """JSON values, with plain text in place of HTML."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Markup) else value


def _html(child: object) -> str:
    if child is None or child is False:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Iterable) and not isinstance(child, str):
        return markup(*child)
    return escape(str(child))
