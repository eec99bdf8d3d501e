"""The same sweep on every engine: threads, processes, Dask; and what a dead worker leaves."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pandas as pd
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import SettingError, SweepInterruptedError
from dgemma_viz.labs.sweep import sweep
from dgemma_viz.tiny.tasks import TASKS
from tests.labs import sweep_workers

PROMPTS = [TASKS["addition"].example_prompts[0], TASKS["sort"].example_prompts[0]]
GRID = {"max_denoising_steps": [1, 3]}
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def here():
    return sweep("tiny", None, PROMPTS, GRID, SEEDS)


def same(found, here):
    assert found.missing == found.failed == 0
    pd.testing.assert_frame_equal(found.table.drop(columns="seconds"), here.table.drop(columns="seconds"))


def processes(workers):
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def test_a_loaded_model_on_threads(here):
    with ThreadPoolExecutor(3) as executor:
        same(sweep(*dv.load_tiny(), PROMPTS, GRID, SEEDS, executor=executor), here)
        assert executor.submit(int, "7").result() == 7, "it stays open"


def test_processes_load_their_own_model(here):
    with processes(2) as executor:
        same(sweep(sweep_workers.load, None, PROMPTS, GRID, SEEDS, executor=executor), here)


def test_a_worker_that_dies_costs_only_what_was_not_finished(here, tmp_path, monkeypatch):
    flag, path = tmp_path / "die", tmp_path / "sweep.jsonl"
    flag.touch()
    monkeypatch.setenv(sweep_workers.FLAG, str(flag))
    with processes(1) as executor, pytest.raises(SweepInterruptedError, match="goes on") as caught:
        sweep(sweep_workers.load_or_die, None, PROMPTS, GRID, SEEDS, executor=executor, path=path)
    assert caught.value.sweep.missing == len(here.table)
    assert "BrokenProcessPool" in str(caught.value)
    with processes(1) as executor:
        same(sweep(sweep_workers.load_or_die, None, PROMPTS, GRID, SEEDS, executor=executor, path=path), here)


def test_what_was_finished_before_a_pool_breaks_is_kept_and_not_run_again(here, tmp_path):
    path = tmp_path / "sweep.jsonl"
    executor = ThreadPoolExecutor(1)

    def break_the_pool(done, _total):
        if done == 3:
            executor.shutdown(wait=False, cancel_futures=True)

    with pytest.raises(SweepInterruptedError, match="CancelledError") as caught:
        sweep("tiny", None, PROMPTS, GRID, SEEDS, executor=executor, path=path, progress=break_the_pool)
    kept = len(caught.value.sweep.table)
    assert 3 <= kept < len(here.table)
    told = []
    same(sweep("tiny", None, PROMPTS, GRID, SEEDS, path=path, progress=lambda *now: told.append(now)), here)
    assert told[0] == (kept, len(here.table))


def test_dask(here, tmp_path, monkeypatch):
    from distributed import Client, LocalCluster

    flag, path = tmp_path / "die", tmp_path / "sweep.jsonl"
    monkeypatch.setenv(sweep_workers.FLAG, str(flag))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        with pytest.raises(SettingError, match=r"client.get_executor\(\)"):
            sweep("tiny", None, PROMPTS, GRID, executor=client)
        with client.get_executor(retries=3) as executor:
            flag.touch()  # Dask starts the worker that dies again, and runs its cells elsewhere
            same(sweep(sweep_workers.load_or_die, None, PROMPTS, GRID, SEEDS, executor=executor, path=path), here)
        assert not flag.exists()


def test_a_loaded_model_is_not_sent_to_processes():
    with processes(1) as executor, pytest.raises(SettingError, match="not sent to the workers"):
        sweep(*dv.load_tiny(), PROMPTS, GRID, executor=executor)


def test_a_loader_that_loads_nonsense_says_so():
    with pytest.raises(SweepInterruptedError, match="must return model and tokenizer"):
        sweep(sweep_workers.load_nonsense, None, PROMPTS, GRID, executor=ThreadPoolExecutor(1))
