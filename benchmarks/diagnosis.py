"""How often each rule of ``dv.diagnose`` finds its fault, and how often it cries wolf: prints markdown tables.

    python benchmarks/diagnosis.py                           # of each task 100 default runs, and 5 runs of each fault
    python benchmarks/diagnosis.py --healthy 40 --faulty 2
    python benchmarks/diagnosis.py --healthy 40 --faulty 2 --masked     # loops of the mask-token model alone

Every run is a recorded, unmodified ``generate()`` of the bundled model on a prompt that training never saw. Faults are
planted by ``dgemma_viz.labs.sabotage``. A healthy run has default settings, gives the right answer and was ended by its
own stop rule; other runs with default settings are left out of the false alarms. All is counted by task, since what is
a rare sight on a task whose prompt forces the answer may be daily life on one with many right answers.

Faults of mask-token loops are planted by ``dgemma_viz.labs.sabotage.mask_loop`` in a loop of the bundled mask-token
model, whose healthy runs (a right answer) are counted apart.
"""

from __future__ import annotations

import argparse
import platform
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers

import dgemma_viz as dv
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.diagnosis import RULES, Severity, diagnose
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.labs.sabotage.mask_loop import LOOP_FAULTS, LoopSettings, run_mask_loop
from dgemma_viz.tiny.masked import MASKED_TASKS
from dgemma_viz.tiny.tasks import OPEN_TASKS, TASKS, sample_example

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dgemma_viz.labs.sabotage.fault import Fault
    from dgemma_viz.trace import Trace

WARNED, NOTED = "warned", "noted"
Tally = tuple[str, str]
"""A rule, and what its gravest finding in a run was: :data:`WARNED`, for at least a warning, or :data:`NOTED`."""

SEVERAL_CANVASES = ("long",)
SOON_CERTAIN = ("long", "addition", "story")
"""Tasks whose first drafts are certain, so that a run may end as soon as they have proved stable, and not before."""
LONGER = ("sudoku", "addition", "sort", "long", "grid")
"""Tasks whose answers go on behind their third token."""
LONG = ("sudoku", "long", "grid")
"""And behind their sixth, by far."""


@dataclass(frozen=True)
class Case:
    """A rule, a fault that it should find, and the tasks on which that fault can show."""

    rule: str
    fault: str
    tasks: tuple[str, ...] = tuple(TASKS)


CASES = (
    Case("numbers-not-finite", "nan-logits"),
    Case("temperature-schedule-shifted", "two-steps"),
    Case("temperature-schedule-shifted", "doubled-schedule"),
    Case("stale-compiled-sampler", "stale-sampler"),
    Case("reference-rule-broken", "stability-off-by-one", SOON_CERTAIN),
    Case("reference-rule-broken", "argmax-in-canvas", tuple(OPEN_TASKS)),
    Case("reference-rule-broken", "never-stable"),
    Case("recorder-warning", "doubled-schedule"),
    Case("stopped-too-early", "stops-at-once"),
    Case("step-budget-exhausted", "never-stops"),
    Case("run-cut-off", "nan-logits"),
    Case("empty-answer", "ends-at-once"),
    Case("premature-end", "ends-early", LONG),
    Case("text-after-end", "stray-end", LONGER),
    Case("unclosed-turn", "no-end"),
    Case("padding-in-answer", "padding"),
    Case("repetition-loop", "loop"),
    Case("canvas-boundary", "restarted-canvas", SEVERAL_CANVASES),
    Case("wrong-answer", "hidden-canvas", SEVERAL_CANVASES),
    Case("wrong-answer", "stray-end", LONGER),
    Case("accepted-wrong-and-stuck", "stray-end", LONGER),
    Case("right-then-lost", "noisy-logits"),
    Case("oscillation", "noisy-logits"),
    Case("never-confident", "hot-temperatures"),
    Case("emitted-but-never-accepted", "tight-bound"),
    Case("bound-too-loose", "loose-bound"),
    Case("bound-too-tight", "tight-bound"),
    Case("reference-rule-broken", "row-used-again", SEVERAL_CANVASES),
)
MASKED_CASES = (
    Case("reference-rule-broken", "two-distributions", ("grid",)),
    Case("reference-rule-broken", "row-used-again", ("sudoku", "grid")),
    Case("block-start-first", "block-start-first", ("grid",)),
    Case("work-behind-the-end", "works-behind-end", MASKED_TASKS),
)
"""Faults of mask-token loops. Those of the probabilities show where the model is not sure: on grids, and a block that
begins at its start shows only where that is the unsure one."""


def record(model: Any, tokenizer: Any, prompt: str, *, fault: Fault | None = None, seed: int = 0) -> Trace:
    """Record one run with default settings, with a fault planted or not, to its end or its failure."""
    recording = dv.record(model, tokenizer, task={"prompt": prompt})
    with warnings.catch_warnings(), fault.plant(model) if fault else nullcontext(), recording:
        warnings.simplefilter("ignore")  # the recorder's own, which the diagnosis repeats
        torch.manual_seed(seed)
        try:
            model.generate(**encode(tokenizer, prompt))
        except RuntimeError:
            if not recording.traces:
                raise
    return recording.traces[-1]


def is_healthy(trace: Trace, task: str) -> bool:
    """Tell whether a run with default settings gave the right answer and ended by its own stop rule."""
    ended = all(trace.finished[trace.canvas == canvas][-1].all() for canvas in range(trace.n_canvases))
    return ended and TASKS[task].check(trace.facts.task.prompt, trace.output_text())


def record_loop(model: Any, tokenizer: Any, prompt: str, *, fault: str = "", seed: int = 0) -> Trace:
    """Record one run of the mask-token loop; every other one draws its candidates, as does one that logs them twice."""
    hot = seed % 2 or fault == "two-distributions"
    return run_mask_loop(
        model, tokenizer, prompt, LoopSettings(block_length=6, temperature=1.5 if hot else 0.0), fault=fault, seed=seed
    )


def is_healthy_loop(trace: Trace, task: str) -> bool:
    """Tell whether a run of the loop gave the right answer."""
    return TASKS[task].check(trace.prompt_text().removeprefix("<bos>"), trace.output_text())


def worst_by_rule(trace: Trace, task: str) -> dict[str, Severity]:
    """Return the worst severity of each rule that found something, against the task's right answer."""
    worst: dict[str, Severity] = {}
    for finding in diagnose(trace, TASKS[task].right_answer):
        worst[finding.rule] = max(finding.severity, worst.get(finding.rule, Severity.NOTE))
    return worst


@dataclass
class Counted:
    """Runs of one task, and in how many of them which rule found something."""

    runs: int = 0
    found: Counter[Tally] = field(default_factory=Counter)
    with_any: Counter[str] = field(default_factory=Counter)
    """Runs by the gravest finding of any rule."""

    def add(self, worst: dict[str, Severity]) -> None:
        """Count one run."""
        grave = {rule: WARNED if severity >= Severity.WARNING else NOTED for rule, severity in worst.items()}
        self.runs += 1
        self.found.update(grave.items())
        if grave:
            self.with_any[WARNED if WARNED in grave.values() else NOTED] += 1


@dataclass(frozen=True)
class Bench:
    """Runs of one model: how they are made, what is planted in them, and which count as healthy."""

    record: Callable[[str, str, int], Trace]
    """By prompt, name of a fault or nothing, and seed."""
    is_healthy: Callable[[Trace, str], bool]
    tasks: tuple[str, ...]
    cases: tuple[Case, ...]
    titles: Mapping[str, str]
    """Of the faults, by name."""


def diffusion_bench() -> Bench:
    """Unmodified ``generate()`` of the bundled DiffusionGemma."""
    model, tokenizer = dv.load_tiny()

    def make(prompt: str, fault: str, seed: int) -> Trace:
        return record(model, tokenizer, prompt, fault=FAULTS[fault] if fault else None, seed=seed)

    return Bench(make, is_healthy, tuple(TASKS), CASES, {name: fault.title for name, fault in FAULTS.items()})


def masked_bench() -> Bench:
    """The loop of the bundled mask-token model."""
    model, tokenizer = dv.load_tiny("masked")

    def make(prompt: str, fault: str, seed: int) -> Trace:
        return record_loop(model, tokenizer, prompt, fault=fault, seed=seed)

    titles = {name: fault.title for name, fault in LOOP_FAULTS.items()}
    return Bench(make, is_healthy_loop, MASKED_TASKS, MASKED_CASES, titles)


def false_alarms(bench: Bench, rng: np.random.Generator, per_task: int) -> dict[str, Counted]:
    """Findings in healthy runs, by task."""
    alarms = {task: Counted() for task in bench.tasks}
    for seed, task in enumerate(task for task in bench.tasks for _ in range(per_task)):
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        trace = bench.record(prompt, "", seed)
        if bench.is_healthy(trace, task):
            alarms[task].add(worst_by_rule(trace, task))
    return alarms


def hits(bench: Bench, rng: np.random.Generator, case: Case, per_task: int) -> dict[str, Counted]:
    """Findings in runs with the case's fault, by task."""
    found = {task: Counted() for task in case.tasks}
    for seed in range(per_task * len(case.tasks)):
        task = case.tasks[seed % len(case.tasks)]
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        found[task].add(worst_by_rule(bench.record(prompt, case.fault, seed), task))
    return found


def share(part: int, whole: int) -> str:
    """A count and its 95 % interval by Wilson: ``3 of 40 (3–20 %)``."""
    if not whole:
        return "–"
    low, high = (100 * float(end) for end in wilson(part, whole))
    highest = f"{high:.0f}" if part == whole else f"{high:.2g}"
    return f"{part} of {whole} ({low:.2g}–{highest} %)" if part else f"0 of {whole} (to {highest} %)"


def print_rules(bench: Bench, alarms: dict[str, Counted], measured: dict[Case, dict[str, Counted]]) -> None:
    """Hits and false alarms of each rule, over all tasks."""
    healthy = sum(counted.runs for counted in alarms.values())

    def alarmed(rule: str) -> str:
        warned, noted = (sum(counted.found[rule, how] for counted in alarms.values()) for how in (WARNED, NOTED))
        return f"{share(warned, healthy)} | {share(noted, healthy)}"

    print("| rule | planted fault | found, at least as warning | found at all | false warnings | false notes |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for case, by_task in measured.items():
        runs = sum(counted.runs for counted in by_task.values())
        warned, noted = (sum(counted.found[case.rule, how] for counted in by_task.values()) for how in (WARNED, NOTED))
        print(
            f"| {case.rule} | {bench.titles[case.fault]} | {share(warned, runs)} | {warned + noted} of {runs} "
            f"| {alarmed(case.rule)} |"
        )
    for rule in RULES:
        if rule.name not in {case.rule for case in measured}:
            print(f"| {rule.name} | – | – | – | {alarmed(rule.name)} |")
    print()


def print_tasks(alarms: dict[str, Counted], per_task: int) -> None:
    """False alarms of each task, and which rules gave them."""
    print("| task | healthy | with a false warning | with a false note only | rules |")
    print("| --- | ---: | ---: | ---: | --- |")
    for task, counted in alarms.items():
        rules = ", ".join(f"{rule} {number} ({how})" for (rule, how), number in sorted(counted.found.items()))
        print(
            f"| {task} | {counted.runs} of {per_task} | {share(counted.with_any[WARNED], counted.runs)} | "
            f"{share(counted.with_any[NOTED], counted.runs)} | {rules or '–'} |",
            flush=True,
        )
    print()


def print_hits(bench: Bench, measured: dict[Case, dict[str, Counted]]) -> None:
    """Hits of each fault on each task, at least as a warning."""
    print(f"| rule | planted fault | {' | '.join(bench.tasks)} |")
    print(f"| --- | --- |{' ---: |' * len(bench.tasks)}")
    for case, by_task in measured.items():
        cells = (
            f"{by_task[task].found[case.rule, WARNED]} of {by_task[task].runs}" if task in by_task else "–"
            for task in bench.tasks
        )
        print(f"| {case.rule} | {bench.titles[case.fault]} | {' | '.join(cells)} |")
    print()


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/diagnosis.py", description=__doc__.splitlines()[0])
    parser.add_argument("--healthy", type=int, default=100, help="runs of each task with default settings")
    parser.add_argument("--faulty", type=int, default=5, help="runs of each fault and task; of few tasks, more")
    parser.add_argument("--masked", action="store_true", help="loops of the mask-token model, not the diffusion model")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bench = masked_bench() if options.masked else diffusion_bench()
    rng = np.random.default_rng(3)
    arguments_told = f"--healthy {options.healthy} --faulty {options.faulty}{' --masked' if options.masked else ''}"
    print(
        f"Printed by `python benchmarks/diagnosis.py {arguments_told}`, with 95 % intervals. transformers "
        f"{transformers.__version__}, torch {torch.__version__}, Python {platform.python_version()}.\n"
    )
    alarms = false_alarms(bench, rng, options.healthy)
    print_tasks(alarms, options.healthy)
    runs: dict[tuple[str, tuple[str, ...]], dict[str, Counted]] = {}
    for case in bench.cases:
        key = (case.fault, case.tasks)
        if key not in runs:
            runs[key] = hits(bench, rng, case, options.faulty * len(bench.tasks) // len(case.tasks))
    measured = {case: runs[case.fault, case.tasks] for case in bench.cases}
    print_rules(bench, alarms, measured)
    print_hits(bench, measured)


if __name__ == "__main__":
    main()
