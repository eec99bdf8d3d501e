"""How many visitors does one machine carry? Concurrent browser sessions that generate and scrub, on loopback.

``python benchmarks/serving.py [--sessions 1 2 5 10 20] [--preheated 1] [--no-forked-kernels]`` starts one
``dgemma-viz serve`` (further options go to it) and prints a Markdown table for each of two kinds of visitors: those who
run the model (*Watch a canvas denoise*: press Run, scrub) and those who only open a recorded trace and scrub. All
sessions of a round open their page at the same moment, the worst case; one that fails is counted, and the others go on.
One browser on the same machine drives all of them, so the times include its own work, about as much as the server's.
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
from dgemma_viz.labs.single_run import record_run
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import save_trace
from tests.browser import CHROMIUM_FLAGS, chromium_path, serve_dashboards

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from playwright.async_api import Browser

PATIENCE = 120_000  # ms, for each thing that a page is asked to do
SCRUBS, RUNS = 10, 2
TRACE = "run.safetensors"
MODEL_PAGE, TRACE_PAGE = "dashboards/01_watch_a_canvas_denoise", f"traces/{TRACE}"
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
    runs_model = MODEL_PAGE in url

    async def open_page(page: Page) -> None:
        began = time.monotonic()
        await page.goto(url, wait_until="commit", timeout=PATIENCE)
        await page.locator(".dgv-token").first.wait_for(timeout=PATIENCE)
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
        await page.locator(".dgv-token").nth(3).click(timeout=PATIENCE)
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
    if runs_model:
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
    """All rounds of both kinds of visitors, a table for each."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        for words, page in (("who run the model", MODEL_PAGE), ("who open a recorded trace", TRACE_PAGE)):
            print(f"\nVisitors {words}:\n")
            print("| sessions | first canvas, s | run, s | scrub, ms | a kernel, MB | all, MB | errors |")
            print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
            for sessions in rounds:
                await asyncio.to_thread(wait_until_quiet, process)
                found, kernel, everything = await visit(browser, address + page, sessions, process)
                times = in_words(found.ready), in_words(found.runs, digits=2), in_words(found.scrubs, 1000, 0)
                print(
                    f"| {sessions} | {' | '.join(times)} | {kernel:.0f} | {everything:.0f} | {found.errors} |",
                    flush=True,
                )
        await browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 5, 10, 20])
    options, further = parser.parse_known_args()
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    print(
        f"{cores} cores, {memory:.0f} GiB; dgemma-viz serve {' '.join(further)}; p50 / p95; memory is PSS", flush=True
    )
    print(f"About {1 + sum(3 + count for count in options.sessions) * 5 / 60:.0f} minutes.", file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as traces:
        save_trace(record_run(*load_tiny(), TASKS["story"].example_prompts[1]), Path(traces) / TRACE)
        places = str(2 * sum(options.sessions))
        with serve_dashboards("--traces", traces, "--most-sessions", places, *further) as (address, process):
            asyncio.run(measure(address, psutil.Process(process.pid), options.sessions))
    print(f"\nTook {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
