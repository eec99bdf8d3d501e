"""Changes come fast, runs are slow: never two at once, and the last change is the one that ran."""

import threading
import time

import pytest

from dgemma_viz.widgets.background_job import BackgroundJob, Rerun

PATIENCE = 20


class Work:
    """A job that notes what it was run with, how many ran at once, and goes on until it is stopped or let go."""

    def __init__(self):
        self.wanted, self.began, self.finished = 0, [], []
        self.running = self.most_at_once = 0
        self.let_go = threading.Event()
        self.job = BackgroundJob(self._run, "")
        self.rerun = Rerun(self.job, seconds=0.02)

    def _run(self):
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            wanted = self.wanted
            self.began.append(wanted)
            while not self.let_go.is_set():
                self.job.pause(0.001)
            self.finished.append(wanted)
        finally:
            self.running -= 1

    def change(self, value):
        self.wanted = value
        self.rerun.soon()

    def wait_until(self, fulfilled):
        deadline = time.monotonic() + PATIENCE
        while not fulfilled():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.fixture
def work():
    work = Work()
    yield work
    work.let_go.set()
    work.rerun.forget()
    work.job.wait(PATIENCE)


def test_many_changes_in_a_row_are_one_run(work):
    for value in range(1, 6):
        work.change(value)
    work.wait_until(lambda: work.began)
    work.let_go.set()
    work.job.wait(PATIENCE)
    assert work.began == work.finished == [5]


def test_a_change_ends_the_run_in_progress_and_the_next_one_starts(work):
    work.job.start()
    work.wait_until(lambda: work.began)
    work.change(1)
    assert work.rerun.pending
    work.wait_until(lambda: len(work.began) == 2)
    work.wait_until(lambda: not work.rerun.pending)
    work.let_go.set()
    work.job.wait(PATIENCE)
    assert (work.began, work.finished) == ([0, 1], [1])


def test_changes_and_button_presses_from_many_threads_never_run_two_at_once(work):
    def press():
        for _ in range(20):
            work.job.start()
            work.change(work.wanted + 1)
            time.sleep(0.003)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    work.change(999)
    work.wait_until(lambda: work.began and work.began[-1] == 999)
    assert work.most_at_once == 1


def test_a_cancelled_rerun_starts_nothing(work):
    work.change(1)
    work.rerun.forget()
    assert not work.rerun.pending
    time.sleep(0.1)
    assert work.began == []
