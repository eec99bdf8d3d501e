"""What is shown of published traces is made once, in processes of their own, and kept within a bound."""

import asyncio
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children

import psutil
import pytest

from dgemma_viz.errors import TraceFileError
from dgemma_viz.serving.makers import Makers
from dgemma_viz.serving.making import PAGE
from dgemma_viz.serving.published_traces import MOST_BYTES, edition_of
from dgemma_viz.serving.trace_store import ReplacedError, TraceStore
from dgemma_viz.trace import save_trace
from dgemma_viz.views.contents import FINDINGS, unframe
from tests.synthetic import synthetic_trace

ROOM = 10**7


class CountingMakers(Makers):
    """Notes what was really made."""

    def __init__(self, **options):
        super().__init__(**options)
        self.made = []

    async def make(self, wanted):
        self.made.append((wanted.name, wanted.part))
        return await super().make(wanted)


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("a", "b")):
        save_trace(synthetic_trace(canvases=3, samples=2, seed=seed), tmp_path / f"{name}.safetensors")
    return tmp_path


def in_a_store(folder, work, most_bytes=ROOM, **options):
    """Run ``work(store, ask)`` in a loop of its own; ``ask(name, part)`` asks for the present edition."""

    async def run():
        makers = CountingMakers(**options)
        store = TraceStore(folder, most_bytes, makers)
        try:
            await work(store, makers, lambda name, part=PAGE: store.packed(name, edition_of(folder, name), part))
        finally:
            store.close()
        assert makers_running() == []

    # In a thread: where browser tests ran before, Playwright has a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()


def makers_running():
    return [child.pid for child in active_children() if child.name == "trace-maker"]


def test_all_who_come_at_once_get_what_is_made_once(folder):
    async def work(_, makers, ask):
        answers = await asyncio.gather(*(ask("a.safetensors") for _ in range(20)))
        assert len({id(answer) for answer in answers}) == 1  # the very same bytes
        page = json.loads(gzip.decompress(answers[0]))
        assert (page["title"], page["canvases"], page["samples"]) == ("a.safetensors", 3, 2)
        assert "findings" not in page
        assert json.loads(gzip.decompress(await ask("a.safetensors", FINDINGS)))["summary"]
        place, records = unframe(gzip.decompress(await ask("a.safetensors", (2, 1))))
        assert len(records) == place["runs"][0]["differing"][1]
        assert await ask("a.safetensors") is answers[0]
        assert makers.made == [("a.safetensors", part) for part in (PAGE, FINDINGS, (2, 1))]

    in_a_store(folder, work)


def test_one_file_is_open_in_one_process(folder):
    async def work(_, __, ask):
        places = [(canvas, sample) for canvas in range(3) for sample in range(2)]
        await asyncio.gather(*(ask("a.safetensors", place) for place in places))
        assert len(makers_running()) == 1
        await asyncio.gather(ask("b.safetensors"), ask("a.safetensors"))
        assert len(makers_running()) == 2

    in_a_store(folder, work, most=2)


def test_what_was_not_asked_for_longest_goes(folder):
    sizes = []

    async def measure(_, __, ask):
        sizes.extend([len(await ask("a.safetensors", (canvas, 0))) for canvas in range(3)])

    async def work(store, makers, ask):
        for canvas in (0, 1, 0, 2, 0):  # no room for all three: of the first two, the second was asked for longer ago
            await ask("a.safetensors", (canvas, 0))
        assert store.size == sizes[0] + sizes[2]
        assert len(makers.made) == 3
        await ask("a.safetensors", (1, 0))
        assert len(makers.made) == 4

    in_a_store(folder, measure)
    in_a_store(folder, work, most_bytes=sum(sizes) - 1)


def test_what_is_wrong_with_a_file_is_said_and_remembered(folder):
    (folder / "bad.safetensors").write_bytes(b"junk")
    with (folder / "huge.safetensors").open("wb") as file:
        file.truncate(MOST_BYTES + 1)

    async def work(_, makers, ask):
        for _attempt in range(2):
            with pytest.raises(TraceFileError, match=r"^'bad\.safetensors' is truncated or not a safetensors"):
                await ask("bad.safetensors")
            with pytest.raises(TraceFileError, match=r"'huge\.safetensors' has 64 MB; at most 64 MB are opened here"):
                await ask("huge.safetensors")
            with pytest.raises(TraceFileError, match=r"'a\.safetensors' has no such canvas"):
                await ask("a.safetensors", (3, 0))
        assert len(makers.made) == 3

    in_a_store(folder, work)


def test_a_file_that_is_replaced_or_deleted_is_not_shown_as_the_old_one(folder):
    async def work(store, _, ask):
        name, gone = "a.safetensors", "b.safetensors"
        old = edition_of(folder, name)
        before = await ask(name)
        edition = edition_of(folder, gone)
        (folder / gone).replace(folder / name)
        assert await ask(name) != before
        with pytest.raises(ReplacedError, match="was replaced"):
            await store.packed(name, old, (0, 0))
        with pytest.raises(TraceFileError, match=r"no published trace 'b\.safetensors'"):
            await store.packed(gone, edition, PAGE)

    in_a_store(folder, work)


def test_a_process_that_dies_or_takes_too_long_is_said_and_the_next_one_starts(folder):
    async def work(_, __, ask):
        await ask("a.safetensors")
        (pid,) = makers_running()
        psutil.Process(pid).kill()
        while makers_running():
            await asyncio.sleep(0.05)
        assert await ask("a.safetensors", (0, 0))  # found out before it is asked
        (pid,) = makers_running()
        psutil.Process(pid).suspend()
        asked = asyncio.ensure_future(ask("a.safetensors", (1, 0)))
        await asyncio.sleep(0.5)  # it has been told
        psutil.Process(pid).kill()
        with pytest.raises(TraceFileError, match="has ended; it may have run out of memory"):
            await asked
        assert await ask("a.safetensors", (1, 0))

    async def give_up(_, __, ask):
        with pytest.raises(TraceFileError, match=r"took longer than 0\.01 seconds to open; it was given up"):
            await ask("a.safetensors")

    in_a_store(folder, work, most=1)
    in_a_store(folder, give_up, most_seconds=0.01)


def test_processes_that_have_nothing_to_do_end(folder):
    async def work(_, __, ask):
        await ask("a.safetensors")
        while makers_running():
            await asyncio.sleep(0.05)
        assert await ask("a.safetensors", (0, 0))

    in_a_store(folder, work, idle_seconds=0.2)
