"""A job with a Run button, a Stop button and a status line: one at a time, in a thread, so that the page stays alive.

Every mistake ends as a message in the status line, never as a traceback, and the buttons are usable again.

:class:`Rerun` runs it again when something has changed: after a moment without further changes, and never beside
another run. Each change asks the run in progress to stop, which it does within one denoising step, and puts off the
next one. A timer's thread waits for the old run's end and starts the new one; of several such threads only that of
the newest change starts anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import ipywidgets as ipw

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.redaction import text_of
from dgemma_viz.widgets.panels import alert, status
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


class Rerun:
    """Starts a job anew.

    Parameters
    ----------
    job
        What to start.
    seconds
        How long changes must have rested.
    """

    def __init__(self, job: BackgroundJob, seconds: float = 0.4) -> None:
        self._job, self._seconds = job, seconds
        self._newest, self._state, self._one_at_a_time = 0, threading.Lock(), threading.Lock()
        self._timer: threading.Timer | None = None

    @property
    def pending(self) -> bool:
        """Whether a run is about to be started: the one in progress is then out of date."""
        return self._timer is not None

    def soon(self) -> None:
        """Something changed."""
        with self._state:
            self._newest += 1
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._seconds, self._start, [self._newest])
            self._timer.daemon = True
            self._timer.start()
        self._job.stop()

    def forget(self) -> None:
        """Start nothing after all."""
        with self._state:
            self._newest += 1
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until what is pending has been started."""
        timer = self._timer
        if timer is not None:
            timer.join(timeout)

    def _start(self, number: int) -> None:
        with self._one_at_a_time:
            self._job.stop()
            self._job.wait()
            with self._state:
                if number != self._newest:
                    return
                self._timer = None
                self._job.start()
