"""Fields for a reader's answer, the number that was typed into one, and the words of a question."""

from __future__ import annotations

import re
from collections.abc import Sequence

import ipywidgets as widgets

from dgemma_viz.errors import SettingError
from dgemma_viz.markup import Markup
from dgemma_viz.plain_text import visible
from dgemma_viz.views.modules import style_sheets
from dgemma_viz.views.run_header import readable
from dgemma_viz.widgets import STATIC

_NUMBER = re.compile(r"[-+]?(\d+|\d{1,3}(,\d{3})+|(?=\.\d))(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE)
"""Each piece begins where the one before cannot go on, so that a long answer is read in one pass."""
_QUOTED = 60
"""Most characters of an answer that are repeated back."""
_LONGEST_OPTION = 300
STYLE = Markup(f"<style>{style_sheets('exercises.css', folder=STATIC)}</style>")
"""Goes with the HTML of a question; the fields are within an element of class ``dgx-exercise``."""


def choice(options: Sequence[str]) -> widgets.RadioButtons:
    """One of several texts; none is chosen at first."""
    shown = [(visible(option, _LONGEST_OPTION), option) for option in options]
    return widgets.RadioButtons(options=shown, value=None, layout=widgets.Layout(width="100%"))


def field(description: str, unit: str) -> widgets.Text:
    """A field that reports what was typed when Enter is pressed or it is left, not at every key."""
    words = f"{description} ({unit})" if unit else description
    return widgets.Text(description=words, continuous_update=False, style={"description_width": "initial"})


def number(text: str, unit: str) -> float:
    """A number as people write it: with commas between thousands or not, with its unit or not; not 0,5."""
    bare = text.removesuffix(unit).strip() if unit else text
    if not _NUMBER.fullmatch(bare):
        shown = visible(text, _QUOTED)
        raise SettingError(f"'{shown}' is not a number; write it in digits with a point, such as 12 or 0.5")
    return float(bare.replace(",", ""))


def prose(text: str) -> Markup:
    """Plain text, words between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", readable(text)))
