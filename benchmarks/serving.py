"""How many visitors does one machine carry? Those who run the model, and those who open a published trace; on loopback.

``python benchmarks/serving.py [--sessions 1 2 5 10 20] [--visitors 1 20 100] [--preheated 1] [--no-forked-kernels]``
starts one ``dgemma-viz serve`` (further options go to it) and prints a Markdown table for each of two kinds of
visitors: those who open a recorded trace (:mod:`benchmarks.trace_visitors`, without a browser) and those who run the
model (*Watch a canvas denoise*: press Run, scrub). All of a round come at the same moment, the worst case. Of those who
run the model, one that fails is counted, and the others go on; one browser on the same machine drives all of them, so
their times include its own work, about as much as the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from playwright.async_api import Error, Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks import trace_visitors
from benchmarks.released_size import released_size_trace
from dgemma_viz.trace import save_trace
from tests.browser import CHROMIUM_FLAGS, chromium_path, serve_dashboards

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from playwright.async_api import Browser

PATIENCE = 120_000  # ms, for each thing that a page is asked to do
SCRUBS, RUNS = 10, 2
MODEL_PAGE = "dashboards/01_watch_a_canvas_denoise"
CANVASES = (1, 64)
STATUS = ".dgv-run-panel .dgv-status [role=status]"
# The status line is written anew when a run begins; the last that it says of a run is how many steps it took. Buttons
# are no sign: they change some messages later, and a token that is clicked before the run is shown is not pinned.
MARK = f"() => {{ document.querySelector('{STATUS}').dataset.old = '1'; }}"
DONE = f"() => document.querySelector('{STATUS}:not([data-old])')?.textContent.includes('tokens per forward')"


@dataclass
class Round:
    """What the sessions of one round measured; seconds."""

    ready: list[float] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)
    scrubs: list[float] = field(default_factory=list)
    errors: int = 0

    async def gather(self, pages: Iterable[Page], work: Callable[[Page], Coroutine[None, None, None]]) -> list[Page]:
        """Let all pages work at once; those that failed are counted and left out from then on."""
        pages = list(pages)
        results = await asyncio.gather(*(work(page) for page in pages), return_exceptions=True)
        for failure in (result for result in results if isinstance(result, BaseException)):
            if not isinstance(failure, Error):
                raise failure
            self.errors += 1
            print(f"a session failed: {str(failure).splitlines()[0]}", file=sys.stderr)
        return [page for page, result in zip(pages, results, strict=True) if not isinstance(result, BaseException)]


async def visit(browser: Browser, url: str, sessions: int, server: psutil.Process) -> tuple[Round, float, float]:
    """One round: what its sessions measured, and MB (PSS) of one kernel and of the server with all its processes."""
    found = Round()
    pages = [await (await browser.new_context()).new_page() for _ in range(sessions)]

    async def open_page(page: Page) -> None:
        began = time.monotonic()
        await page.goto(url, wait_until="commit", timeout=PATIENCE)
        await page.locator(".dgv-run-panel .dgv-token").first.wait_for(timeout=PATIENCE)
        found.ready.append(time.monotonic() - began)

    async def run_model(page: Page) -> None:
        await page.get_by_label("Slow motion").set_checked(False, timeout=PATIENCE)
        for _ in range(RUNS):
            await page.evaluate(MARK)
            began = time.monotonic()
            await page.get_by_role("button", name="Run", exact=True).click(timeout=PATIENCE)
            await page.wait_for_function(DONE, timeout=PATIENCE)
            found.runs.append(time.monotonic() - began)

    async def scrub(page: Page) -> None:
        """From a key press to the inspector's answer, which comes from the kernel."""
        await page.locator(".dgv-run-panel .dgv-token").nth(3).click(timeout=PATIENCE)
        slider = page.get_by_role("slider", name="Denoising step").first
        await slider.press("Home", timeout=PATIENCE)
        for number in range(SCRUBS):
            step = 1 - number % 2
            began = time.monotonic()
            await slider.press("ArrowRight" if step else "ArrowLeft", timeout=PATIENCE)
            await page.locator(".dgx-inspector").get_by_text(f"at step {step}").first.wait_for(timeout=PATIENCE)
            found.scrubs.append(time.monotonic() - began)

    async def leave(page: Page) -> None:
        await page.goto("about:blank")  # a page that is left ends its kernel
        await page.context.close()

    working = await found.gather(pages, open_page)
    working = await found.gather(working, run_model)
    await found.gather(working, scrub)
    memory = megabytes(server)
    await found.gather(pages, leave)
    return found, *memory


def megabytes(server: psutil.Process) -> tuple[float, float]:
    """PSS of the mean kernel, and of the server and all that it started."""
    kernels, others = [], []
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            is_kernel = process.name().startswith("kernel-") or "ipykernel_launcher" in process.cmdline()
            (kernels if is_kernel else others).append(process.memory_full_info().pss / 1e6)
    return statistics.mean(kernels or [0]), sum(kernels + others)


def wait_until_quiet(server: psutil.Process, patience: float = 60) -> None:
    """Wait until the server and what it started do nothing: libraries loaded, pools full, old sessions gone."""
    deadline, before = time.monotonic() + patience, -1.0
    while time.monotonic() < deadline:
        spent = 0.0
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                spent += sum(process.cpu_times()[:2])
        if abs(spent - before) < 0.05:  # noqa: PLR2004  # seconds
            return
        before = spent
        time.sleep(1)


def in_words(values: list[float], factor: float = 1, digits: int = 1) -> str:
    """Median and 95th percentile."""
    if not values:
        return "–"
    ordered = sorted(value * factor for value in values)
    return f"{statistics.median(ordered):.{digits}f} / {ordered[round(0.95 * (len(ordered) - 1))]:.{digits}f}"


async def measure(address: str, process: psutil.Process, rounds: list[int]) -> None:
    """All rounds of visitors who run the model."""
    print("\nVisitors who run the model:\n")
    print("| sessions | first canvas, s | run, s | scrub, ms | a kernel, MB | all, MB | errors |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        for sessions in rounds:
            await asyncio.to_thread(wait_until_quiet, process)
            found, kernel, everything = await visit(browser, address + MODEL_PAGE, sessions, process)
            times = in_words(found.ready), in_words(found.runs, digits=2), in_words(found.scrubs, 1000, 0)
            print(
                f"| {sessions} | {' | '.join(times)} | {kernel:.0f} | {everything:.0f} | {found.errors} |", flush=True
            )
        await browser.close()


async def measure_traces(address: str, process: psutil.Process, folder: Path, counts: list[int]) -> None:
    """All rounds of visitors who open a trace of the released model's size."""
    print("\nVisitors who open a published trace:\n")
    print(
        "| canvases | trace | visitors | first tokens, s | everything, s | CPU, ms a visitor | all, MB | growth, MB |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    await asyncio.to_thread(wait_until_quiet, process)
    for canvases in CANVASES:
        path = folder / f"{canvases}.safetensors"
        async for kept, row in trace_visitors.rounds(address, process, path, counts):
            times = in_words(row.first_tokens, digits=2), in_words(row.everything, digits=2)
            figures = f"{row.processor / row.visitors * 1000:.1f} | {row.memory:.0f} | {row.growth:.0f}"
            print(f"| {canvases} | {kept} | {row.visitors} | {' | '.join(times)} | {figures} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="*", default=[1, 2, 5, 10, 20])
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 20, 100])
    options, further = parser.parse_known_args()
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    print(f"{cores} cores, {memory:.0f} GiB; dgemma-viz serve {' '.join(further)}; p50 / p95", flush=True)
    print(f"About {1 + sum(3 + count for count in options.sessions) * 5 / 60:.0f} minutes.", file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as traces:
        for canvases in CANVASES:
            save_trace(released_size_trace(canvases), Path(traces) / f"{canvases}.safetensors")
        places = str(2 * sum(options.sessions) or 1)
        with serve_dashboards("--traces", traces, "--most-sessions", places, *further) as (address, process):
            server = psutil.Process(process.pid)
            asyncio.run(measure_traces(address, server, Path(traces), options.visitors))
            if options.sessions:
                asyncio.run(measure(address, server, options.sessions))
    print(f"\nTook {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
