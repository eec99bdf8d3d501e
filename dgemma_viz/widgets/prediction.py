"""A question that stands before what it is about, which is made and shown once the reader has answered.

What is right is never written down beside the question: a function takes it from a run, or a trace holds it. It is
called with the first answer, and so is the function that makes what follows: a page does no work for what nobody has
asked for yet.

A prediction is made once. An answer given when everything was there to see is told as given afterwards. Nothing is kept
beyond the page. Without a kernel nothing can be answered: what then stays in a notebook
(:mod:`dgemma_viz.widgets.cell_output`) is the question, and how to have it asked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import ipywidgets as ipw
import traitlets as t

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.markup import Markup, tag
from dgemma_viz.plain_text import NO_FORMULAS, visible
from dgemma_viz.views.run_header import readable
from dgemma_viz.views.still import FRAME
from dgemma_viz.views.still_text import paragraph
from dgemma_viz.widgets.answer_fields import STYLE, prose
from dgemma_viz.widgets.as_widget import as_widget
from dgemma_viz.widgets.cell_output import show_box_in_cell
from dgemma_viz.widgets.panels import alert

if TYPE_CHECKING:
    Content = Any
    """What :func:`~dgemma_viz.widgets.as_widget.as_widget` takes, or a function that makes it."""

NEEDS_A_PAGE = (
    "This question is answered while the page runs: run this cell, or open the page with dgemma-viz serve. "
    "What follows is made once it is answered."
)
_VIEW = "dgx-predict"
_LONGEST_ERROR = 300
_LONGEST_QUESTION = 300


class Prediction(ipw.VBox):  # type: ignore[misc]
    """What all kinds have in common (:mod:`dgemma_viz.widgets.predict`); not used by itself.

    Parameters
    ----------
    question
        Plain text; words between backticks are shown as code.
    asked
        The control that holds the answer.
    then
        What is hidden until then: a widget, figure, table, text or a list of these; or a function that makes it, which
        is not called before. None: nothing follows but what was right.
    because
        One line of explanation, for right and wrong answers alike.

    Attributes
    ----------
    shown
        Whether what follows is shown; observable.
    first
        The prediction; None before there is one, and where the reader was shown without one.
    later
        The last answer that was given afterwards; None: none was.
    predict, skip
        Buttons: take the answer; show without one, and then hide and show again.
    said
        What is said about the answer.
    """

    shown = t.Bool(default_value=False, read_only=True)
    nothing_given: ClassVar[str]
    """Asks for an answer where there is none."""
    did: ClassVar[str] = "predicted"
    """What the reader did, as a verb of the past."""

    def __init__(self, question: str, asked: ipw.Widget, then: Content, *, because: str) -> None:
        self.picture = uuid4().hex
        self.first: Any = None
        self.later: Any = None
        self._question, self._then, self._because = question, then, because
        self._made: ipw.Widget | None = None
        self._right: Any = None
        if not callable(then) and then is not None:
            self._made = as_widget(then)
        self.predict = ipw.Button(description="Predict", tooltip="Take this answer, and show what follows")
        self.predict.button_style = "primary"
        self.skip = ipw.Button(description="Show without answering", layout=ipw.Layout(width="auto"))
        self.said = ipw.HTML()
        self.predict.on_click(lambda _button: self._predicted())
        self.skip.on_click(lambda _button: self._skipped())
        buttons = ipw.Layout(flex_flow="row wrap", grid_gap="0 4px")
        head = tag("p", tag("strong", "Predict first. "), prose(question), class_="dgx-question")
        wide = {"width": "100%", "min_width": "0"}
        self.question = ipw.VBox(
            [ipw.HTML(f"{STYLE}{head}"), asked, ipw.HBox([self.predict, self.skip], layout=buttons), self.said],
            layout=ipw.Layout(**wide, grid_gap="4px"),
        )
        for name in ("dgx-exercise", _VIEW):
            self.question.add_class(name)
        self._after = ipw.VBox(layout=ipw.Layout(**wide, display="none"))
        super().__init__([self.question, self._after], layout=ipw.Layout(**wide))

    # -- what each kind says for itself --------------------------------------------------------------------------

    def given(self) -> Any:
        """The answer as it stands in the control; None: none.

        Raises
        ------
        SettingError
            It cannot be understood.
        """
        raise NotImplementedError

    def truth(self) -> Any:
        """What is right, from a run."""
        raise NotImplementedError

    def _verdict(self, answer: Any, right: Any) -> str:
        """A sentence, with its sign."""
        raise NotImplementedError

    def _told(self, right: Any) -> str:
        """The same where nothing was predicted."""
        raise NotImplementedError

    def _reveal(self) -> None:
        """Show in the control itself what was right."""

    def _in_words(self) -> Markup:
        """The control, for a notebook without its kernel."""
        raise NotImplementedError

    # -- asking and showing --------------------------------------------------------------------------------------

    def _predicted(self) -> None:
        try:
            answer = self.given()
        except DgemmaVizError as error:
            self.said.value = alert(visible(error, _LONGEST_ERROR))
            return
        if answer is None:
            self.said.value = _status(self.nothing_given, *self._sentences())
            return
        afterwards = self._right is not None
        if not self._ready():
            return
        if not afterwards:
            self.first = answer
        elif answer != (self.first if self.later is None else self.later):
            self.later = answer
        self._show()

    def _skipped(self) -> None:
        if self.shown:
            self._turn(shown=False)
        elif self._ready():
            self._show()

    def _ready(self) -> bool:
        """Work out what is right and make what follows, once; whether both are there, or else what hinders is said."""
        if self._right is not None:
            return True
        self.said.value = _status("Working it out …")
        try:
            right = self.truth()
            if self._made is None and self._then is not None:
                self._made = as_widget(self._then())
        except DgemmaVizError as error:
            self.said.value = alert(visible(error, _LONGEST_ERROR))
            return False
        except Exception as error:
            # A page has nobody who reads the log: it would wait for ever.
            logging.getLogger(__name__).exception("what follows a question could not be made")
            self.said.value = alert(visible(f"{type(error).__name__}: {error}", _LONGEST_ERROR))
            return False
        self._right = right
        self._reveal()
        self.predict.description, self.predict.tooltip = "Answer anew", "Afterwards: it does not change the prediction"
        return True

    def _show(self) -> None:
        self.said.value = _status(*self._sentences())
        if self._made is not None and not self._after.children:
            self._after.children = [self._made]
        self._turn(shown=True)

    def _turn(self, *, shown: bool) -> None:
        self._after.layout.display = None if shown else "none"
        self.skip.description = "Hide again" if shown else "Show again"
        self.skip.layout.visibility = "hidden" if self._made is None else None
        self.set_trait("shown", shown)

    def _sentences(self) -> list[str]:
        if self._right is None:
            return []
        told = self._told(self._right) if self.first is None else self._verdict(self.first, self._right)
        first = f"You were shown it without a prediction. {told}" if self.first is None else f"You {self.did} {told}"
        later = [] if self.later is None else [f"Afterwards you {self.did} {self._verdict(self.later, self._right)}"]
        return [first, *later, *filter(None, [self._because])]

    # -- in a notebook -------------------------------------------------------------------------------------------

    def still(self) -> str:
        """The question and how to have it asked, as HTML that needs neither kernel nor JavaScript."""
        asked = paragraph(tag("b", "Predict first. "), prose(self._question))
        return str(
            tag(
                "div",
                asked,
                self._in_words(),
                paragraph(tag("em", NEEDS_A_PAGE)),
                class_=f"dgs dgs-{self.picture} {NO_FORMULAS}",
                style=FRAME,
            )
        )

    def _ipython_display_(self) -> None:
        show_box_in_cell(self, _VIEW)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {visible(self._question, _LONGEST_QUESTION)}>"


def _status(*lines: str) -> str:
    """Announced when the reader is idle; whole, however long: this is what the question was asked for."""
    words = (tag("div", readable(line)) for line in lines)
    return str(tag("div", words, role="status", class_="dgx-told"))
