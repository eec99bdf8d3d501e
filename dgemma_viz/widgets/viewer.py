"""The viewer in Jupyter and Voila: one trace, or two compared, in linked views that the browser draws by itself.

What crosses to the browser, and when. :meth:`Viewer.show` sends ``page`` (what holds for all of it, as JSON) and
``frame`` (one canvas of one sample, as bytes; :mod:`dgemma_viz.views.contents`). Another canvas is asked for by message
when it is looked at, and then kept by the browser. From then on only small traits travel, both ways: what is looked at.
The browser repaints from its own copy first and tells Python afterwards, so stepping never waits for the kernel; where
nobody in Python observes ``step`` or ``position`` (``followed``), it tells them once they rest.

While a model generates, a :class:`~dgemma_viz.widgets.live_run.LiveRun` appends steps to the traits of a run that
grows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import traitlets as t

from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.divergence import Divergence, divergence_of
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.diagnosis import Diagnosis, diagnose
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.plain_text import visible
from dgemma_viz.trace.inside import Inside
from dgemma_viz.trace.inside.as_insides import as_insides, place_of_inside
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.views.compared import compared
from dgemma_viz.views.contents import Contents
from dgemma_viz.views.explored import canvas_alone, explored, nothing
from dgemma_viz.views.modules import VIEWER_STYLES, joined_module, style_sheets
from dgemma_viz.views.still import still_html
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.cell_output import show_in_cell
from dgemma_viz.widgets.panels import close_with_looks
from dgemma_viz.widgets.reader_choices import heed_choices
from dgemma_viz.widgets.viewed_place import FROM, PLACE, ViewedPlace

if TYPE_CHECKING:
    import ipywidgets as ipw

    from dgemma_viz.widgets.inside_button import InsideButton
    from dgemma_viz.widgets.intervention_panel import InterventionPanel

VIEWS = ("all", "canvas")
_QUICK = 8 * 48 * 256
"""Positions times steps of a trace whose findings are made before it is shown: a quarter of a second."""
_LONGEST = 300
"""Characters of an error that are told on the page."""


class Viewer(ViewedPlace):
    """Head, findings, token canvas, inspector and charts of one trace; or of two, with where they part.

    Parameters
    ----------
    what
        What to show; None: nothing yet.
    reference
        The right answer; see :data:`dgemma_viz.analysis.reference.Reference`.
    model, tokenizer
        What the trace was recorded with: then its run can be changed and repeated (``interventions``), and its steps
        looked into (``looking``).
    insides
        Of steps of the trace that is shown.
    place
        Where to begin; see :meth:`go`.
    traits
        Traits to begin with, such as ``views="canvas"``.

    Attributes
    ----------
    canvas, sample, step
        What is looked at, counted from 0; set them to move every view, observe them to follow the reader. ``step`` is
        the denoising step within the canvas.
    position
        Pinned position, or -1.
    quantity, shows, token_layout
        What colour stands for (:data:`~dgemma_viz.views.charts.QUANTITIES`), whose tokens are shown
        (:data:`~dgemma_viz.views.charts.SHOWS`), and how they are laid out (:data:`~dgemma_viz.views.charts.LAYOUTS`).
    playing
        Whether the browser plays the steps.
    finding
        Index of the chosen finding in ``diagnosis.findings``, or -1; choosing one goes where it points.
    views
        ``"all"``, or ``"canvas"`` for the tokens alone.
    row
        How many tokens stand in a row of the grid layout; 0: as many as fit.
    dark
        Whether the page is dark, as the browser saw it.
    trace, pair
        What is shown; one of them, or neither, is None.
    interventions
        Panel that changes something and repeats the run; None without a model.
    insides
        Of steps of the trace, which the page shows at these; :meth:`add_inside` adds one.
    looking
        Button that looks inside the step that is shown; None without a model.
    """

    _esm = joined_module("viewer_widget.js", STATIC)
    _css = style_sheets(*VIEWER_STYLES)

    page = t.Dict().tag(sync=True)
    frame = t.Bytes().tag(sync=True)
    frame_of = t.List([0, 0, 0]).tag(sync=True)
    views = t.Enum(VIEWS, "all").tag(sync=True)
    row = t.Int(0, min=0).tag(sync=True)
    dark = t.Bool(False).tag(sync=True)
    status = t.Unicode().tag(sync=True)
    live = t.Bool(False).tag(sync=True)
    packing = t.Dict().tag(sync=True)
    data = t.Bytes().tag(sync=True)
    tail = t.Bytes().tag(sync=True)
    texts = t.Dict().tag(sync=True)
    tail_texts = t.Dict().tag(sync=True)
    words = t.Dict().tag(sync=True)
    message = t.Unicode().tag(sync=True)
    picture = t.Unicode().tag(sync=True)
    looked = t.Int(0).tag(sync=True)

    def __init__(
        self,
        what: Trace | TracePair | None = None,
        reference: Reference | None = None,
        *,
        model: Any = None,
        tokenizer: Any = None,
        insides: Sequence[Inside] = (),
        place: Mapping[str, Any] | None = None,
        **traits: Any,
    ) -> None:
        self.trace: Trace | None = None
        self.pair: TracePair | None = None
        self._diagnosis: Diagnosis | None = None
        self._reference: Reference | None = None
        self.interventions: InterventionPanel | None = None
        self.insides: list[Inside] = []
        self.looking: InsideButton | None = None
        self.own_box: ipw.VBox | None = None
        self._contents: Contents | None = None
        super().__init__(picture=uuid4().hex, **traits)
        heed_choices(self, *PLACE, "playing", "finding", "views", "spoken_of")
        self.on_msg(self._wanted)
        self._repeats_with = (model, tokenizer)
        if model is not None:
            self._offer_panels()
        if what is None:
            self.clear("")
        else:
            self.show(what, reference, insides=insides, place=place)

    # -- what is shown -------------------------------------------------------------------------------------------

    def show(
        self,
        what: Trace | TracePair,
        reference: Reference | None = None,
        *,
        insides: Sequence[Inside] = (),
        place: Mapping[str, Any] | None = None,
    ) -> None:
        """Show another trace or pair, from its first canvas and step, nothing pinned; quantity and text stay.

        Of a pair after a pair, canvas and sample stay as far as both have them. ``place`` goes somewhere at once.

        Raises
        ------
        SettingError
            The reference is not one, or its function failed; or there is no such place.
        """
        self.insides = [*insides]
        if isinstance(what, TracePair):
            kept = {"canvas": self.canvas, "sample": self.sample} if self.pair is not None else {}
            self._open(compared(what, reference), kept, place, pair=what)
        else:
            self._reference, self._diagnosis = reference, None
            contents = explored(what, diagnosis=lambda: self._diagnosed(what), insides=self.insides)
            quick = reference is not None or what.noised.size <= _QUICK
            self._open(replace(contents, page=contents.whole_page()) if quick else contents, {}, place, trace=what)
        self._reference = reference
        self._show_panels()

    def add_inside(self, inside: Inside) -> None:
        """Show what was seen inside a step of this trace, too; in place of what is known of that step.

        Raises
        ------
        TraceError
            It is not of a step of the trace that is shown, or none is.
        """
        if self.trace is None or self._contents is None:
            raise TraceError("this viewer shows no single run, so there is no step to look into")
        self.insides[:] = as_insides([*self.insides, inside], self.trace)
        canvas, sample, _ = place_of_inside(inside)
        with self.hold_sync():
            self.frame_of = [self.number, canvas, sample]
            self.frame = self._contents.place(canvas, sample)
            self.looked += 1

    def _offer_panels(self) -> None:
        from dgemma_viz.widgets.inside_button import InsideButton
        from dgemma_viz.widgets.intervention_panel import InterventionPanel

        self.looking = InsideButton(*self._repeats_with, self)
        self.interventions = InterventionPanel(*self._repeats_with, self)
        self._show_panels()

    def _show_panels(self) -> None:
        for panel in (self.looking, self.interventions):
            if panel is not None:
                panel.layout.display = "none" if self.trace is None else None
        if self.trace is not None and self.interventions is not None and self.looking is not None:
            self.interventions.show(self.trace, self._reference)
            self.looking.show(self.trace)

    @property
    def parts(self) -> list[ipw.Widget]:
        """The view, and the panels beside it if there are any: what stands on a page."""
        return [self, *(panel for panel in (self.looking, self.interventions) if panel is not None)]

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What a cell shows: the view, with the panel under it if there is one."""
        if self.interventions is None:
            return super()._repr_mimebundle_(**options)
        if self.own_box is None:
            from ipywidgets import Layout, VBox

            self.own_box = VBox(self.parts, layout=Layout(width="100%", min_width="0"))
        return self.own_box._repr_mimebundle_(**options)

    def _ipython_display_(self) -> None:
        show_in_cell(self)

    def still(self) -> str:
        """What is shown as HTML that needs neither kernel nor JavaScript; empty where there is no run to show."""
        what = self.pair or self.trace
        if what is None or self._alone:
            return ""
        return still_html(what, self.diagnosis, sample=self.sample, names=f"dgs dgs-{self.picture}")

    def show_canvas(self, run: CanvasRun, message: str = "") -> None:
        """Show one canvas alone, without head, findings and charts; step and position stay as far as it has them."""
        kept = {"step": self.step, "position": self.position}
        self.insides = []
        self._open(canvas_alone(run, message), kept, None, trace=run.trace)

    def clear(self, message: str) -> None:
        """Show nothing but words."""
        self.trace, self.pair, self._contents, self.insides = None, None, None, []
        with self.hold_sync():
            self._begin_at({})
            self.page = {"number": self.number + 1, **nothing(message)}
            self.live = False

    def _open(self, contents: Contents, kept: Mapping[str, int], place: Mapping[str, Any] | None, **shown: Any) -> None:
        self.trace, self.pair = shown.get("trace"), shown.get("pair")
        self._contents = contents
        with self.hold_sync():
            self._begin_at(kept)
            self.page = {"number": self.number + 1, **contents.page}
            self.live, self.playing, self.message = False, False, ""
            try:
                if place:
                    self.go(**place)
            finally:
                self._frame_chosen()

    def _frame_chosen(self) -> None:
        if self._contents is not None and self._contents.page["canvases"]:
            self.frame_of = [self.number, self.canvas, self.sample]
            self.frame = self._contents.place(self.canvas, self.sample)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What was found in the trace; None where two are shown, or none."""
        return None if self.trace is None or self._alone else self._diagnosed(self.trace)

    def _diagnosed(self, trace: Trace) -> Diagnosis:
        if self._diagnosis is None or self._diagnosis.trace is not trace:
            self._diagnosis = diagnose(trace, self._reference)
        return self._diagnosis

    @property
    def _alone(self) -> bool:
        return bool(self.page.get("alone"))

    @property
    def number(self) -> int:
        """Number of the page that is shown, counted from 1: each trace is another page."""
        return int(self.page.get("number", 0))

    def _wanted(self, _viewer: object, content: Any, _buffers: Any) -> None:
        """The browser looks at another canvas, or has painted the first one and has time for the rest."""
        wanted = content.get("want") if isinstance(content, dict) else None
        contents = self._contents
        if contents is None:
            return
        if isinstance(wanted, str) and wanted in contents.page["parts"]:
            self._answer(
                {"number": content.get("number"), "part": wanted}, lambda: ({"made": contents.part(wanted)}, [])
            )
        if isinstance(wanted, list) and wanted[:1] == [self.number]:
            self._answer({"place": wanted}, lambda: ({}, [self._made(*wanted[1:])]))

    def _made(self, canvas: int, sample: int) -> bytes:
        if self._contents is None or (canvas, sample) not in self._contents.places():
            raise SettingError(f"there is no canvas {canvas} of sample {sample} here")
        return self._contents.place(canvas, sample)

    def _answer(self, asked: dict[str, Any], make: Callable[[], tuple[dict[str, Any], list[bytes]]]) -> None:
        """Send the page what it waits for, or why there is none: it would wait for ever."""
        try:
            made, buffers = make()
        except Exception as error:
            logging.getLogger(__name__).exception("something that a page asked for could not be made")
            made, buffers = {"problem": visible(f"{type(error).__name__}: {error}", _LONGEST)}, []
        self.send(asked | made, buffers)

    @property
    def run(self) -> CanvasRun:
        """The chosen canvas of the chosen sample.

        Raises
        ------
        TraceError
            Two runs are shown, or none.
        """
        if self.trace is None:
            raise TraceError("this viewer shows no single run; its 'pair' holds both traces of a comparison")
        return self.trace.canvas_run(self.canvas, self.sample)

    @property
    def theme(self) -> str:
        """``"dark"`` or ``"light"``, as the browser saw the page."""
        return "dark" if self.dark else "light"

    @property
    def first_difference(self) -> Divergence | None:
        """Where the two runs of the chosen sample part; None where they do not, or one run is shown."""
        return None if self.pair is None else divergence_of(self.pair, self.sample)

    def jump_to_first(self) -> None:
        """Go to the first difference: its canvas, step and first position."""
        if (first := self.first_difference) is None:
            return
        self.go(
            canvas=first.canvas, step=first.step, **({"position": first.positions[0]} if len(first.positions) else {})
        )

    def close(self) -> None:
        """Close the view and the panel beside it, so that neither kernel nor browser keeps them."""
        for beside in (self.looking, self.interventions, self.own_box):
            if beside is not None:
                close_with_looks(beside)
        close_with_looks(self, closing=super().close)

    def reopen(self) -> None:
        """Let a viewer that was closed be shown again, with what it showed; one that is open stays as it is."""
        if self.comm is not None:
            return
        self.__dict__.pop("_repr_mimebundle_", None)  # ipywidgets' mark of a closed widget
        self.layout.open()
        self.open()
        self.own_box = None
        if self.interventions is not None:
            self._offer_panels()

    def highest(self, name: str) -> int:
        """Highest value of a part of the place, of what is shown."""
        if self._contents is None:
            return FROM[name]
        if name in {"canvas", "sample"}:
            return max(0, int(self._contents.page["canvases" if name == "canvas" else "samples"]) - 1)
        if name == "finding":
            return len(self.diagnosis.findings) - 1 if self.diagnosis else -1
        steps, positions = self._size
        return max(0, steps - 1) if name == "step" else positions - 1

    @property
    def _size(self) -> tuple[int, int]:
        """Steps and positions of the chosen canvas."""
        if self.pair is not None:
            return self.pair.n_steps(self.canvas, self.sample), self.pair.positions
        if self.trace is None or not self.trace.n_canvases:
            return 0, 0
        return self.run.n_steps, self.run.canvas_length
