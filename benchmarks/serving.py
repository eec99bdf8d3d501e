"""How many visitors does one machine carry? Concurrent browser sessions that generate and scrub, on loopback.

``python benchmarks/serving.py [--sessions 1 2 5 10] [--preheated N]`` starts ``dgemma-viz serve``, lets so many pages
open *Watch a canvas denoise* at the same time, press Run and scrub, and prints a Markdown table. One browser drives all
sessions, on the same machine, so the times include the browser's own work.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import psutil
from playwright.async_api import Browser, Error, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.browser import CHROMIUM_FLAGS, chromium_path, serve_dashboards

PATIENCE = 180_000  # ms
SCRUBS = 10
# The status line is written anew when a run begins: until its old content has gone, the run has not begun.
MARK = "() => { document.querySelector('.dgv-run-panel .dgv-status [role=status]').dataset.old = '1'; }"
DONE = (
    "() => [...document.querySelectorAll('button')].some((b) => b.textContent.trim() === 'Stop' && b.disabled)"
    " && !document.querySelector('[data-old]')"
)


async def visit(browser: Browser, url: str, opened: asyncio.Barrier) -> dict[str, float]:
    """Seconds to the first canvas, of a run, and of a scrub to the inspector's answer through the kernel."""
    context = await browser.new_context()
    page = await context.new_page()
    try:
        began = time.monotonic()
        await page.goto(url, wait_until="commit", timeout=PATIENCE)
        await page.locator(".dgv-run-panel .dgv-token").first.wait_for(timeout=PATIENCE)
        ready = time.monotonic() - began
        await asyncio.wait_for(opened.wait(), PATIENCE / 1000)
        await page.get_by_label("Slow motion").uncheck()
        await page.evaluate(MARK)
        began = time.monotonic()
        await page.get_by_role("button", name="Run", exact=True).click(timeout=PATIENCE)
        await page.wait_for_function(DONE, timeout=PATIENCE)
        run = time.monotonic() - began
        await page.locator(".dgv-run-panel .dgv-token").nth(3).click(timeout=PATIENCE)
        slider = page.locator(".dgv-run-panel").get_by_role("slider", name="Denoising step")
        await slider.press("Home", timeout=PATIENCE)
        scrubs = []
        for number in range(SCRUBS):
            step = 1 - number % 2
            began = time.monotonic()
            await slider.press("ArrowRight" if step else "ArrowLeft", timeout=PATIENCE)
            await page.locator(".dgx-inspector").get_by_text(f"at step {step}").first.wait_for(timeout=PATIENCE)
            scrubs.append(time.monotonic() - began)
        return {"ready": ready, "run": run, "scrub": statistics.median(scrubs)}
    finally:
        await context.close()


async def load(url: str, sessions: int, server: psutil.Process) -> tuple[list[dict[str, float]], int, float]:
    """All sessions at once: what they measured, how many failed, and the largest memory of one kernel in MB."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        opened = asyncio.Barrier(sessions)
        visits = [asyncio.create_task(visit(browser, url, opened)) for _ in range(sessions)]
        largest = 0.0
        while not all(task.done() for task in visits):
            for child in server.children(recursive=True):
                try:
                    largest = max(largest, child.memory_info().rss / 2**20)
                except psutil.Error:
                    continue
            await asyncio.sleep(0.5)
        results = await asyncio.gather(*visits, return_exceptions=True)
        await browser.close()
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not isinstance(failure, (Error, TimeoutError, asyncio.BrokenBarrierError)):
            raise failure
        print(f"a session failed: {failure}", file=sys.stderr)
    return [result for result in results if isinstance(result, dict)], len(failures), largest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--preheated", type=int, default=0)
    options = parser.parse_args()
    arguments = ("--most-sessions", str(max(options.sessions)), "--preheated", str(options.preheated))
    print(
        f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB; preheated: {options.preheated}\n"
    )
    print("| sessions | first canvas, median (worst), s | run, s | scrub, ms | memory of a kernel, MB | errors |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for sessions in options.sessions:
        with serve_dashboards(*arguments) as (address, process):
            time.sleep(15 if options.preheated else 0)  # the pool fills
            url = f"{address}dashboards/01_watch_a_canvas_denoise"
            found, failed, largest = asyncio.run(load(url, sessions, psutil.Process(process.pid)))
        if not found:
            print(f"| {sessions} | – | – | – | {largest:.0f} | {failed} |", flush=True)
            continue
        ready = [entry["ready"] for entry in found]
        run, scrub = (statistics.median(entry[name] for entry in found) for name in ("run", "scrub"))
        print(
            f"| {sessions} | {statistics.median(ready):.1f} ({max(ready):.1f}) | {run:.2f} | {scrub * 1000:.0f} "
            f"| {largest:.0f} | {failed} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
