"""A job with a Run button, a Stop button and a status line: one at a time, in a thread, so that the page stays alive.

Every mistake ends as a message in the status line, never as a traceback, and the buttons are usable again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import ipywidgets as ipw

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.redaction import text_of
from dgemma_viz.widgets.notices import alert, status
from dgemma_viz.work_limits import SECONDS, most, time_is_up


class StoppedError(KeyboardInterrupt):
    """Raised inside a job when the reader presses Stop: recorded as an interrupt, like Ctrl-C."""


class BackgroundJob:
    """One kind of work that a reader starts and stops.

    Parameters
    ----------
    work
        The work; it calls :meth:`pause` now and then.
    tooltip
        Of the Run button.

    Attributes
    ----------
    run_button, stop_button, status_line
        Widgets to be placed by the panel.
    """

    def __init__(self, work: Callable[[], None], tooltip: str) -> None:
        self._work = work
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._end = float("inf")
        self._took_too_long = False
        self.run_button = ipw.Button(description="Run", button_style="primary", tooltip=tooltip)
        self.stop_button = ipw.Button(description="Stop", disabled=True, tooltip="Stop within one denoising step")
        self.status_line = ipw.HTML().add_class("dgv-status")
        self.run_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.stop())

    @property
    def in_background(self) -> bool:
        """Whether the job has ever been started by a reader, and not only run here."""
        return self._thread is not None

    def start(self) -> None:
        """Start in a thread; a job in progress is left alone."""
        with self._starting:  # a button and a timer may start it at once
            if self._thread is not None and self._thread.is_alive():
                return
            self._stop.clear()
            self.run_button.disabled = True
            self.stop_button.disabled = False
            self.say("Running…")
            self._thread = threading.Thread(target=self.run_here, name="dgemma_viz job", daemon=True)
            self._thread.start()

    def run_here(self) -> None:
        """Do the work in this thread."""
        self._end, self._took_too_long = time.monotonic() + most(SECONDS), False
        try:
            self._work()
        except StoppedError:
            self.say("Stopped before anything was recorded.")
        except DgemmaVizError as error:
            self.complain(str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("a run failed")
            self.complain(f"The run failed with {text_of(error)}")
        finally:
            if self._took_too_long:
                self.complain(time_is_up())
            self.run_button.disabled = False
            self.stop_button.disabled = True

    def stop(self) -> None:
        """Ask the job in progress to stop."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job in progress has ended, at most ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def pause(self, seconds: float = 0) -> None:
        """Called by the work: wait, and raise :class:`StoppedError` if the reader or the server wants it to stop."""
        stopped = self._stop.wait(seconds)
        if time.monotonic() > self._end:
            self._took_too_long = True
        if stopped or self._took_too_long:
            raise StoppedError

    def say(self, message: str) -> None:
        """What goes on, in the status line."""
        self.status_line.value = status(message)

    def complain(self, message: str) -> None:
        """What went wrong, in the status line."""
        self.status_line.value = alert(message)
