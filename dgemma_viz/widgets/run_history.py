"""The runs of a session as a table: choose two to compare, open one, hold all against one, save, remove.

Design. The table draws itself in the browser from plain text (nothing in it is ever read as HTML). What is chosen
travels as small traits both ways, ``a`` and ``b`` (compared), ``opened`` (looked at alone) and ``base`` (what all
others are held against); whoever shows the runs observes them. Numbers that are not in the table count as none. A saved
trace goes to the browser as bytes, which offers it as a download: a visitor of a served page has no access to the
kernel's folders.

The number of runs is bounded. Beyond it the oldest goes, never the base, and the table says so.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from dgemma_viz.amounts import counted
from dgemma_viz.trace import Trace
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.lab_run import LabRun

NONE = 0
"""Stands for no run; runs are numbered from 1."""


class RunHistory(anywidget.AnyWidget):  # type: ignore[misc]
    """Runs, newest first.

    Parameters
    ----------
    most
        How many runs are kept.

    Attributes
    ----------
    runs
        Oldest first.
    a, b
        Numbers of the compared runs, or :data:`NONE`.
    opened
        Number of the run that is looked at alone, or :data:`NONE`.
    base
        Number of the run that all others are held against, or :data:`NONE`: each is then held against the one before.
    """

    _esm = joined_module("run_history.js", STATIC)
    _css = style_sheets("run_history.css", folder=STATIC)

    rows = t.List().tag(sync=True)
    a = t.Int(NONE).tag(sync=True)
    b = t.Int(NONE).tag(sync=True)
    opened = t.Int(NONE).tag(sync=True)
    base = t.Int(NONE).tag(sync=True)
    note = t.Unicode().tag(sync=True)

    def __init__(self, *, most: int = 50) -> None:
        super().__init__()
        self.runs: tuple[LabRun, ...] = ()
        self._most, self._made = most, 0
        self.observe(self._hold_against_base, "base")
        self.on_msg(self._message)

    def run(self, number: int) -> LabRun | None:
        """The run of a number; None if it is not in the table."""
        return next((run for run in self.runs if run.number == number), None)

    def add(self, trace: Trace) -> LabRun:
        """Put a new run into the table and compare it: with the base, or else the run before it."""
        self._made += 1
        run = LabRun(self._made, datetime.now().astimezone(), trace)
        before = self.base or (self.runs[-1].number if self.runs else NONE)
        with self.hold_sync(), self.hold_trait_notifications():
            self.note = ""
            self.runs = (*self.runs, run)
            if len(self.runs) > self._most:
                oldest = next(run for run in self.runs if run.number not in {self.base, before, self._made})
                self.note = f"Run {oldest.number} was removed: the table keeps {counted(self._most, 'run')}."
                self._drop(oldest.number)
            self._draw()
            self.a, self.b, self.opened = before, run.number, NONE
        return run

    def remove(self, number: int) -> None:
        """Take a run out of the table; if it was compared, the newest two that remain are."""
        if self.run(number) is None:
            return
        with self.hold_sync(), self.hold_trait_notifications():
            self.note = f"Run {number} was removed."
            self._drop(number)
            self._draw()

    def _drop(self, number: int) -> None:
        self.runs = tuple(run for run in self.runs if run.number != number)
        numbers = [run.number for run in self.runs]
        if self.base == number:
            self.base = NONE
        if self.opened == number:
            self.opened = NONE
        if number in {self.a, self.b}:
            self.a, self.b = ([NONE, NONE, *numbers])[-2:]

    def _hold_against_base(self, _change: t.Bunch) -> None:
        self._draw()

    def _draw(self) -> None:
        against: dict[int, LabRun | None] = {}
        before = None
        for run in self.runs:
            against[run.number] = self.run(self.base) if self.base else before
            before = run
        self.rows = [run.row(against[run.number] if run.number != self.base else None) for run in reversed(self.runs)]

    @t.validate("a", "b", "opened", "base")  # type: ignore[untyped-decorator]
    def _in_the_table(self, proposal: t.Bunch) -> int:
        number: int = proposal["value"]
        return number if self.run(number) is not None else NONE

    def _message(self, _widget: object, content: Any, _buffers: object) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        run = self.run(content.get("number")) if kind in {"save", "remove"} else None
        if run is None:
            return
        if kind == "save":
            self.send({"kind": "file", "name": run.file_name}, [_file_of(run.trace)])
        else:
            self.remove(run.number)


def _file_of(trace: Trace) -> bytes:
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as folder:
        path = Path(folder) / "trace.safetensors"
        trace.save(path)
        return path.read_bytes()
