"""How often each rule of ``dv.diagnose`` finds its fault, and how often it cries wolf: prints a markdown table.

    python benchmarks/diagnosis.py            # 500 default runs and 20 runs of each fault
    python benchmarks/diagnosis.py --quick    # 25 and 2

Every run is a recorded, unmodified ``generate()`` of the bundled model on a prompt that training never saw. Faults are
planted by ``dgemma_viz.labs.sabotage``. A healthy run has default settings, gives the right answer and was ended by its
own stop rule; other runs with default settings are left out of the false alarms.
"""

from __future__ import annotations

import argparse
import platform
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers

import dgemma_viz as dv
from dgemma_viz.diagnosis import Severity, diagnose
from dgemma_viz.labs.prompts import encode
from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.tiny.tasks import TASKS, sample_example

if TYPE_CHECKING:
    from dgemma_viz.labs.sabotage.fault import Fault
    from dgemma_viz.trace import Trace

Tally = tuple[str, bool]


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
    Case("reference-rule-broken", "stability-off-by-one", ("long",)),
    Case("reference-rule-broken", "argmax-in-canvas", ("long",)),
    Case("reference-rule-broken", "never-stable"),
    Case("recorder-warning", "doubled-schedule"),
    Case("stopped-too-early", "stops-at-once"),
    Case("step-budget-exhausted", "never-stops"),
    Case("run-cut-off", "nan-logits"),
    Case("empty-answer", "ends-at-once"),
    Case("premature-end", "ends-early", ("sudoku", "long")),
    Case("text-after-end", "stray-end", ("sudoku", "addition", "sort", "long")),
    Case("unclosed-turn", "no-end"),
    Case("padding-in-answer", "padding"),
    Case("repetition-loop", "loop"),
    Case("canvas-boundary", "restarted-canvas", ("long",)),
    Case("canvas-boundary", "hidden-canvas", ("long",)),
    Case("wrong-answer", "stray-end", ("sudoku", "addition", "sort", "long")),
    Case("accepted-wrong-and-stuck", "stray-end", ("sudoku", "addition", "sort", "long")),
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


def false_alarms(model: Any, tokenizer: Any, rng: np.random.Generator, per_task: int) -> tuple[Counter[Tally], int]:
    """Findings by rule and gravity in healthy runs, and the number of these."""
    alarms: Counter[Tally] = Counter()
    healthy = 0
    for seed, task in enumerate(task for task in TASKS for _ in range(per_task)):
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        trace = record(model, tokenizer, prompt, seed=seed)
        if is_healthy(trace, task):
            healthy += 1
            alarms.update(tally(worst_by_rule(trace, task)))
    return alarms, healthy


def hits(model: Any, tokenizer: Any, rng: np.random.Generator, case: Case, runs: int) -> Counter[Tally]:
    """Findings by rule and gravity in runs with the case's fault."""
    found: Counter[Tally] = Counter()
    for seed in range(runs):
        task = case.tasks[seed % len(case.tasks)]
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        trace = record(model, tokenizer, prompt, fault=FAULTS[case.fault], seed=seed)
        found.update(tally(worst_by_rule(trace, task)))
    return found


def tally(worst: dict[str, Severity]) -> list[Tally]:
    """Rule and whether it gave at least a warning, for each rule that found something."""
    return [(rule, severity >= Severity.WARNING) for rule, severity in worst.items()]


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/diagnosis.py", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs")
    quick = parser.parse_args(arguments).quick
    torch.set_num_threads(1)
    model, tokenizer = dv.load_tiny()
    rng = np.random.default_rng(3)
    per_task, runs = (5, 2) if quick else (100, 20)
    alarms, healthy = false_alarms(model, tokenizer, rng, per_task)
    print(
        f"Printed by `python benchmarks/diagnosis.py{' --quick' if quick else ''}`: {runs} runs of each fault; "
        f"{healthy} healthy ones of {per_task * len(TASKS)} runs with default settings. "
        f"transformers {transformers.__version__}, torch {torch.__version__}, Python {platform.python_version()}.\n"
    )
    print("| rule | planted fault | found, at least as warning | found | false warnings | false notes |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    measured: dict[tuple[str, tuple[str, ...]], Counter[Tally]] = {}
    for case in CASES:
        key = (case.fault, case.tasks)
        if key not in measured:
            measured[key] = hits(model, tokenizer, rng, case, runs)
        warned, noted = measured[key][case.rule, True], measured[key][case.rule, False]
        print(
            f"| {case.rule} | {FAULTS[case.fault].title} | {warned} of {runs} | {warned + noted} of {runs} "
            f"| {alarms[case.rule, True]} of {healthy} | {alarms[case.rule, False]} of {healthy} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
