"""How fast exploring is at the released model's size: prints the tables of benchmarks/README.md, section "Exploring".

    python -m benchmarks.explorer                                    # from the repository's root; about ten minutes
    python -m benchmarks.explorer --canvases 1 --fronts voila        # less of it
    python -m benchmarks.explorer --fronts voila --delay 200         # with a kernel far away

Headless Chromium opens ``dv.explore(path)`` in Voila and in JupyterLab, with a pre-heated kernel, on traces of 1, 16
and 64 canvases of 256 positions and 48 steps, vocabulary 262,144, 8 alternatives. Times run from the browser's time
stamp of the key or pointer event to the end of the frame that shows the change; for charts and the inspector, to the
last change of the last of them. Beside them stand the bare calls: a plain ``go.FigureWidget`` that shows
the same heatmap and is updated with the new figure, bare imports, and a bare kernel.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.fronts import FRONTS, opened
from benchmarks.kernel_memory import import_seconds, kernel_megabytes
from benchmarks.released_size import POSITIONS, STEPS, TOP_K, VOCABULARY, released_size_trace
from tests.browser import CHROMIUM_FLAGS, chromium_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Browser, Page

IMPORTS = "import dgemma_viz as dv\ndv.explore, dv.load_trace"
STILL, PATIENCE = 250, 5_000
"""Milliseconds without a change after which an event counts as answered, and after which it is given up."""
WATCHED_SECONDS = 2.5
_QUICK_STEPS = 20
PLAIN = """\
import ipywidgets, plotly.graph_objects as go
from dgemma_viz.figures import heatmap
from dgemma_viz.trace import load_trace
trace = load_trace({path!r})
plain = go.FigureWidget(heatmap(trace, step=0))
slider = ipywidgets.IntSlider(max=47)
def redraw(change):
    with plain.batch_update():
        plain.update(heatmap(trace, step=change["new"]).to_dict(), overwrite=True)
slider.observe(redraw, "value")
ipywidgets.VBox([slider, plain])"""


@dataclass
class Times:
    """Milliseconds by what was asked for and what answered."""

    by_part: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def measure(self, page: Page, what: str, act: Callable[[], object]) -> None:
        """Do something and note when the page had changed."""
        page.evaluate("dgvWatch.arm()")
        act()
        for part, time in page.evaluate(f"dgvWatch.settled({STILL}, {PATIENCE})").items():
            self.by_part.setdefault((what, part), []).append(time)

    def cell(self, what: str, part: str) -> str:
        """Median and 95th percentile."""
        times = self.by_part.get((what, part))
        return f"{np.median(times):.0f} / {np.percentile(times, 95):.0f}" if times else "–"

    def median(self, what: str, part: str) -> float:
        """Median, in milliseconds."""
        return statistics.median(self.by_part[what, part])


@dataclass
class Opened:
    """What one front did with one trace."""

    front: str
    canvases: int
    first_tokens: float = 0
    first_charts: float = 0
    bytes_sent: dict[str, float] = field(default_factory=dict)
    bytes_a_step: float = 0
    told_a_step: float = 0
    bytes_pinned: float = 0
    frames: tuple[float, float] = (0, 0)
    answer: float = 0
    scrolled: tuple[float, float] = (0, 0)
    page_megabytes: float = 0
    times: Times = field(default_factory=Times)


def explore(browser: Browser, front: str, canvases: int, path: Path, events: int, delay: int = 0) -> Opened:
    """Open a trace and use every control."""
    result = Opened(front, canvases)
    times = result.times
    with opened(browser, front, [IMPORTS, f"dv.explore({str(path)!r})"], delay) as page:
        result.first_tokens = page.evaluate("dgvWatch.until('.dgv-token', 256)")
        result.first_charts = page.evaluate("dgvWatch.until('.js-plotly-plot .main-svg', 4)")
        result.answer = page.evaluate(f"dgvWatch.until('.dgv-canvas-part', {canvases - 1})") if canvases > 1 else 0
        page.wait_for_timeout(4_000)  # Voila heats its next kernel
        result.bytes_sent = page.evaluate("dgvWatch.bytes()")
        slider = page.locator(".dgv-slider")
        slider.focus()
        result.bytes_a_step = _steps(page, times, "key", events)
        result.told_a_step = _told_a_step(page)
        for layout in ("grid", "reading"):
            page.get_by_label("Layout").select_option(layout)
            slider.focus()
            page.keyboard.press("Home")
            page.wait_for_timeout(500)
            _steps(page, times, layout, events)
        result.scrolled = tuple(page.evaluate(f"dgvWatch.scrolled('.dgv-paper', {WATCHED_SECONDS})"))
        result.page_megabytes = _page_bytes(page) / 1e6
        box = slider.bounding_box()
        for n in range(events):
            place = box["x"] + box["width"] * (0.1 + 0.8 * (n * 7 % events) / events), box["y"] + box["height"] / 2
            page.mouse.move(*place)
            times.measure(page, "slider", lambda place=place: page.mouse.click(*place))
        page.locator(".dgv-token").nth(40).click()
        page.wait_for_timeout(1_500)
        slider.focus()
        page.keyboard.press("Home")
        page.wait_for_timeout(500)
        result.bytes_pinned = _steps(page, times, "pinned", events)
        colour = page.get_by_label("Colour")
        for n in range(max(4, events // 3)):
            name = ("entropy", "accepted", "flips", "commit_step", "confidence")[n % 5]
            times.measure(page, "quantity", lambda name=name: colour.select_option(name))
        if canvases > 1:
            choice = page.get_by_label("Canvas", exact=True).and_(page.locator("select"))
            for n in range(max(4, events // 3)):
                number = (n * 5 + 1) % canvases
                times.measure(page, "canvas", lambda number=number: choice.select_option(index=number))
        page.get_by_label("Steps per second").select_option("16")
        slider.focus()
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        result.frames = tuple(page.evaluate(f"dgvWatch.frames({WATCHED_SECONDS})"))
    return result


def _page_bytes(page: Page) -> float:
    """What scripts hold in the page."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(found["JSHeapUsedSize"])


def _told_a_step(page: Page) -> float:
    """Messages to the kernel a step, of a reader who steps through a canvas."""
    page.keyboard.press("Home")
    page.wait_for_timeout(1_500)
    before = page.evaluate("dgvWatch.bytes().told")
    for _ in range(_QUICK_STEPS):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
    return (page.evaluate("dgvWatch.bytes().told") - before) / _QUICK_STEPS


def _steps(page: Page, times: Times, what: str, events: int) -> float:
    """Step forward by key; returns bytes received a step."""
    before = page.evaluate("dgvWatch.bytes().socket")
    for n in range(events):
        times.measure(page, what, lambda n=n: page.keyboard.press("ArrowRight" if n < STEPS - 1 else "ArrowLeft"))
    return (page.evaluate("dgvWatch.bytes().socket") - before) / events


def plain_heatmap(browser: Browser, path: Path, events: int) -> Times:
    """The peer: steps of a plain FigureWidget that is updated with the whole new figure."""
    times = Times()
    with opened(browser, "voila", [IMPORTS, PLAIN.format(path=str(path))]) as page:
        page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
        page.wait_for_timeout(4_000)
        page.locator(".noUi-handle").focus()
        for _ in range(max(5, events // 2)):
            times.measure(page, "key", lambda: page.keyboard.press("ArrowRight"))
    return times


def print_latencies(results: Sequence[Opened], plain: Times) -> None:
    """The table of answers."""
    print("From event to painted change, milliseconds, p50 / p95:\n")
    columns = {
        "tokens: key": ("key", "tokens"),
        "tokens: slider": ("slider", "tokens"),
        "charts: key": ("key", "charts"),
        "charts: key, a token pinned": ("pinned", "charts"),
        "charts: another colour": ("quantity", "charts"),
        "tokens: another canvas": ("canvas", "tokens"),
        "charts: another canvas": ("canvas", "charts"),
    }
    print_table(
        ("front", "canvases", *columns),
        [(r.front, r.canvases, *(r.times.cell(*key) for key in columns.values())) for r in results],
    )
    ratio = plain.median("key", "charts") / statistics.median(r.times.median("key", "charts") for r in results)
    print(
        f"\nPeer, in the same run: a plain `go.FigureWidget` of the same heatmap alone, updated with the whole new "
        f"figure, takes {plain.cell('key', 'charts')} ms a step: {ratio:.1f} times as long as all of the explorer's "
        "charts.\n"
    )


def print_layouts(results: Sequence[Opened]) -> None:
    """The table of the two layouts, and of the whole answer around the reading one."""
    print("Grid and reading layout, tokens of a step by key, p50 / p95, and the whole answer:\n")
    rows = []
    for r in results:
        slow = {name: np.percentile(r.times.by_part[name, "tokens"], 95) for name in ("grid", "reading")}
        rows.append(
            (
                r.front,
                r.canvases,
                r.times.cell("grid", "tokens"),
                r.times.cell("reading", "tokens"),
                f"{slow['reading'] / slow['grid']:.2f}",
                f"{r.first_tokens / 1e3:.2f}",
                f"{r.answer / 1e3:.2f}" if r.answer else "–",
                f"{r.scrolled[0]:.0f}",
                f"{r.scrolled[1]:.0f}",
                f"{r.page_megabytes:.0f}",
            )
        )
    head = (
        "front",
        "canvases",
        "grid, ms",
        "reading, ms",
        "p95, reading to grid",
        "first tokens, s",
        "whole answer, s",
    )
    print_table((*head, "frames a second, scrolled", "longest frame, ms", "heap of the page, MB"), rows)
    print()


def print_opening(results: Sequence[Opened], sizes: dict[int, float]) -> None:
    """The table of first paint, bytes and frames."""
    print("Opening and playing (16 steps a second):\n")
    head = ("front", "canvases", "file, MB", "first tokens, s", "all charts, s", "over the websocket, MB", "files, MB")
    rows = [
        (
            r.front,
            r.canvases,
            f"{sizes[r.canvases] / 1e6:.1f}",
            f"{r.first_tokens / 1e3:.2f}",
            f"{r.first_charts / 1e3:.2f}",
            f"{r.bytes_sent['socket'] / 1e6:.1f}",
            f"{r.bytes_sent['files'] / 1e6:.1f}",
            f"{r.told_a_step:.2f}",
            f"{r.bytes_a_step / 1e3:.1f}",
            f"{r.bytes_pinned / 1e3:.1f}",
            f"{r.frames[0]:.0f}",
            f"{r.frames[1]:.0f}",
        )
        for r in results
    ]
    asked = "messages to the kernel a step"
    print_table((*head, asked, "kB a step", "kB a step, pinned", "frames a second", "longest frame, ms"), rows)


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A Markdown table; numbers to the right."""
    print(f"| {' | '.join(head)} |")
    print(f"| --- |{' ---: |' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row)} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explorer",
        description=__doc__.splitlines()[0],
        epilog="Takes about a minute and a half for each front and size with 40 events, ten minutes for all; half a "
        "minute each with 8.",
    )
    parser.add_argument("--canvases", type=int, nargs="+", default=[1, 16, 64], help="sizes of the traces")
    parser.add_argument("--fronts", nargs="+", choices=FRONTS, default=list(FRONTS))
    parser.add_argument("--delay", type=int, default=0, help="milliseconds put before each message to the kernel")
    parser.add_argument("--events", type=int, default=40, help="key presses of each kind, at most 47")
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as folder, sync_playwright() as playwright:
        paths = {canvases: Path(folder) / f"{canvases}.safetensors" for canvases in options.canvases}
        for canvases, path in paths.items():
            released_size_trace(canvases).save(path)
        sizes = {canvases: path.stat().st_size for canvases, path in paths.items()}
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        results = [
            explore(browser, front, canvases, path, min(options.events, STEPS - 1), options.delay)
            for front in options.fronts
            for canvases, path in paths.items()
        ]
        plain = plain_heatmap(browser, paths[min(paths)], options.events)
        chromium = browser.version
        browser.close()
        packages = ("jupyterlab", "voila", "plotly", "ipywidgets", "anywidget")
        print(
            f"Printed by `python -m benchmarks.explorer` on {os.cpu_count()} cores ({platform.machine()}), "
            f"Python {platform.python_version()}, Chromium {chromium} without a GPU, "
            f"{', '.join(f'{name} {version(name)}' for name in packages)}. Synthetic traces: {POSITIONS} positions, "
            f"{STEPS} steps, {TOP_K} alternatives, vocabulary {VOCABULARY:,}. Each message to the kernel waits "
            f"{options.delay} ms.\n"
        )
        print_latencies(results, plain)
        print_layouts(results)
        print_opening(results, sizes)
        print("\nBefore anything is shown:\n")
        print_table(("import", "seconds, median of 5", "modules of torch"), import_seconds())
        print("\nMemory of the kernel's process (PSS):\n")
        print_table(("kernel", "MB"), kernel_megabytes(IMPORTS, paths))


if __name__ == "__main__":
    main()
