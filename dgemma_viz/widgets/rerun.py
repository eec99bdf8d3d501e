"""Run again when something has changed: after a moment without further changes, and never beside another run.

Each change asks the run in progress to stop, which it does within one denoising step, and puts off the next one. A
timer's thread waits for the old run's end and starts the new one; of several such threads only that of the newest
change starts anything.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dgemma_viz.widgets.background_job import BackgroundJob


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
