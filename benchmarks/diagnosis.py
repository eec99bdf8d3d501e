"""How often each rule of ``dv.diagnose`` finds its fault, and how often it cries wolf: prints markdown tables.

    python benchmarks/diagnosis.py                           # of each task 100 default runs, and 5 runs of each fault
    python benchmarks/diagnosis.py --healthy 40 --faulty 2

Every run is a recorded, unmodified ``generate()`` of the bundled model on a prompt that training never saw. Faults are
planted by ``dgemma_viz.labs.sabotage``. A healthy run has default settings, gives the right answer and was ended by its
own stop rule; other runs with default settings are left out of the false alarms. All is counted by task, since what is
a rare sight on a task whose prompt forces the answer may be daily life on one with many right answers.
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
from dgemma_viz.tiny.tasks import TASKS, sample_example

if TYPE_CHECKING:
    from dgemma_viz.labs.sabotage.fault import Fault
    from dgemma_viz.trace import Trace

WARNED, NOTED = "warned", "noted"
Tally = tuple[str, str]
"""A rule, and what its gravest finding in a run was: :data:`WARNED`, for at least a warning, or :data:`NOTED`."""

SEVERAL_CANVASES = ("long",)
SEVERAL_STEPS = ("long", "grid")
"""Tasks whose runs are long enough to break a rule about steps."""
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
    Case("reference-rule-broken", "stability-off-by-one", SEVERAL_STEPS),
    Case("reference-rule-broken", "argmax-in-canvas", SEVERAL_STEPS),
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
)


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


def false_alarms(model: Any, tokenizer: Any, rng: np.random.Generator, per_task: int) -> dict[str, Counted]:
    """Findings in healthy runs, by task."""
    alarms = {task: Counted() for task in TASKS}
    for seed, task in enumerate(task for task in TASKS for _ in range(per_task)):
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        trace = record(model, tokenizer, prompt, seed=seed)
        if is_healthy(trace, task):
            alarms[task].add(worst_by_rule(trace, task))
    return alarms


def hits(model: Any, tokenizer: Any, rng: np.random.Generator, case: Case, per_task: int) -> dict[str, Counted]:
    """Findings in runs with the case's fault, by task."""
    found = {task: Counted() for task in case.tasks}
    for seed in range(per_task * len(case.tasks)):
        task = case.tasks[seed % len(case.tasks)]
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        trace = record(model, tokenizer, prompt, fault=FAULTS[case.fault], seed=seed)
        found[task].add(worst_by_rule(trace, task))
    return found


def share(part: int, whole: int) -> str:
    """A count and its 95 % interval by Wilson: ``3 of 40 (3–20 %)``."""
    if not whole:
        return "–"
    low, high = (100 * float(end) for end in wilson(part, whole))
    highest = f"{high:.0f}" if part == whole else f"{high:.2g}"
    return f"{part} of {whole} ({low:.2g}–{highest} %)" if part else f"0 of {whole} (to {highest} %)"


def print_rules(alarms: dict[str, Counted], measured: dict[Case, dict[str, Counted]]) -> None:
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
            f"| {case.rule} | {FAULTS[case.fault].title} | {share(warned, runs)} | {warned + noted} of {runs} "
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


def print_hits(measured: dict[Case, dict[str, Counted]]) -> None:
    """Hits of each fault on each task, at least as a warning."""
    print(f"| rule | planted fault | {' | '.join(TASKS)} |")
    print(f"| --- | --- |{' ---: |' * len(TASKS)}")
    for case, by_task in measured.items():
        cells = (
            f"{by_task[task].found[case.rule, WARNED]} of {by_task[task].runs}" if task in by_task else "–"
            for task in TASKS
        )
        print(f"| {case.rule} | {FAULTS[case.fault].title} | {' | '.join(cells)} |")
    print()


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/diagnosis.py", description=__doc__.splitlines()[0])
    parser.add_argument("--healthy", type=int, default=100, help="runs of each task with default settings")
    parser.add_argument("--faulty", type=int, default=5, help="runs of each fault and task; of few tasks, more")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, tokenizer = dv.load_tiny()
    rng = np.random.default_rng(3)
    print(
        f"Printed by `python benchmarks/diagnosis.py --healthy {options.healthy} --faulty {options.faulty}`, with 95 % "
        f"intervals. transformers {transformers.__version__}, torch {torch.__version__}, "
        f"Python {platform.python_version()}.\n"
    )
    alarms = false_alarms(model, tokenizer, rng, options.healthy)
    print_tasks(alarms, options.healthy)
    runs: dict[tuple[str, tuple[str, ...]], dict[str, Counted]] = {}
    for case in CASES:
        key = (case.fault, case.tasks)
        if key not in runs:
            runs[key] = hits(model, tokenizer, rng, case, options.faulty * len(TASKS) // len(case.tasks))
    measured = {case: runs[case.fault, case.tasks] for case in CASES}
    print_rules(alarms, measured)
    print_hits(measured)


if __name__ == "__main__":
    main()
