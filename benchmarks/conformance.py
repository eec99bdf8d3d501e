"""How often ``dv.check_conformance`` names each published bug, and how often it accuses a healthy run.

    python benchmarks/conformance.py            # 240 healthy runs and 15 of each bug
    python benchmarks/conformance.py --quick    # 48 and 4

Every run is a recorded ``generate()`` of the bundled model on prompts that training never saw; bugs are planted by
``dgemma_viz.labs.sabotage.published_bugs``, in batches with at most 16 steps a canvas, so that bugs which never stop
end soon. A run in which a bug changed nothing that was decided (against the healthy run of the same seed) is counted
apart: there is nothing to be found in it.
"""

from __future__ import annotations

import argparse
import platform
import unittest.mock
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

import dgemma_viz as dv
from dgemma_viz.conformance import check_conformance
from dgemma_viz.labs.sabotage.published_bugs import FAULTS
from dgemma_viz.tiny import encode_prompt
from dgemma_viz.tiny.tasks import TASKS, sample_example

if TYPE_CHECKING:
    from dgemma_viz.labs.sabotage.fault import Fault
    from dgemma_viz.trace import Trace

NAMED_BY = {fault.name: fault.named_by for fault in FAULTS}
"""Rules that name each bug."""

DECISIONS = ("noised", "draft", "accepted", "finished", "emitted")
BATCH = 3
STEPS = {"max_denoising_steps": 16}
UNSETTLED = {"finished-rows-change": {"t_min": 1.0, "t_max": 2.0, "confidence_threshold": 0.4}}
"""Settings under which a sample finishes before it is sure: at the default ones a finished sample seldom changes."""


@dataclass(frozen=True)
class Setup:
    """Settings of healthy runs."""

    name: str
    batch: int = 1
    arguments: dict[str, Any] = field(default_factory=dict)


SETUPS = (
    Setup("default settings"),
    Setup("default settings", batch=BATCH),
    Setup("3 steps", arguments={"max_denoising_steps": 3}),
    Setup("1 step", batch=BATCH, arguments={"max_denoising_steps": 1}),
    Setup("no adaptive stop, 12 steps", arguments={"stability_threshold": None, "max_denoising_steps": 12}),
    Setup("stability over 3 steps", batch=BATCH, arguments={"stability_threshold": 3}),
    Setup("bound of 0.001", arguments={"sampler_config": EntropyBoundSamplerConfig(0.001)}),
    Setup("hot, bound of 5", batch=BATCH, arguments={"t_min": 1.0, "t_max": 2.0, "max_denoising_steps": 16,
                                                     "sampler_config": EntropyBoundSamplerConfig(5.0)}),
)  # fmt: skip


def record(
    model: Any, tokenizer: Any, prompts: list[str], *, seed: int, fault: Fault | None = None, **arguments: Any
) -> Trace:
    """Record one run."""
    recording = dv.record(model, tokenizer)
    with warnings.catch_warnings(), fault.plant(model) if fault else nullcontext(), recording:
        warnings.simplefilter("ignore")  # the recorder's own on the stale sampler
        torch.manual_seed(seed)
        model.generate(**encode_prompt(tokenizer, prompts), **arguments)
    return recording.traces[-1]


def re_noised(trace: Trace) -> int:
    """Positions that were re-noised before another step: what the statistical rule has to go by."""
    goes_on = trace.canvas[1:] == trace.canvas[:-1]
    return int((~trace.accepted[:-1] & trace.active[:-1, :, None])[goes_on].sum())


def draw(rng: np.random.Generator, batch: int, task: str | None = None) -> list[str]:
    """Prompts of one task, or of any tasks that fit beside each other."""
    names = [task or str(rng.choice(list(TASKS))) for _ in range(batch)]
    return [sample_example(TASKS[name], rng, held_out=True).prompt for name in names]


def same_decisions(first: Trace, second: Trace) -> bool:
    """Tell whether two runs read, drafted, stopped and emitted the same."""
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in DECISIONS)


def false_alarms(model: Any, tokenizer: Any, rng: np.random.Generator, runs: int) -> None:
    """Print violations found in healthy runs, by setup."""
    accused: Counter[str] = Counter()
    unchecked: Counter[str] = Counter()
    untold: Counter[str] = Counter()
    traces: list[Trace] = []
    total = 0
    for seed in range(runs):
        setup = SETUPS[seed % len(SETUPS)]
        task = list(TASKS)[seed // len(SETUPS) % len(TASKS)]
        prompts = draw(rng, setup.batch, task if setup.batch == 1 else None)
        traces.append(record(model, tokenizer, prompts, seed=seed, **setup.arguments))
        report = check_conformance(traces[-1])
        total += not report.ok
        accused.update({f"{violation.rule} ({setup.name})" for violation in report.violations})
        unchecked.update(name for name, _ in report.not_checked)
        untold.update(name for name, _ in report.undecided)
    print(f"Healthy runs accused: {total} of {runs}. {dict(accused) if accused else ''}\n")
    print("Not checked in some of them, because there was nothing to judge:")
    print(", ".join(f"{name} {count}" for name, count in unchecked.items()) or "none", "\n")
    print("Could not be told in some of them, because too few draws were unsure:")
    print(", ".join(f"{name} {count}" for name, count in untold.items()) or "none", "\n")
    pooled = check_conformance(traces)
    broken = ", ".join({violation.rule for violation in pooled.violations})
    open_ = ", ".join(name for name, _ in pooled.undecided)
    print(f"All of them pooled: broken {broken or 'none'}; could not be told {open_ or 'none'}.\n", flush=True)


def always_the_argmax(model: Any, tokenizer: Any, rng: np.random.Generator, runs: int) -> None:
    """Print how runs fare whose candidates are never drawn, each alone and pooled."""
    with unittest.mock.patch("torch.multinomial", lambda p, **_: p.argmax(-1, keepdim=True)):
        traces = [record(model, tokenizer, draw(rng, 1), seed=seed) for seed in range(runs)]
    rule = "candidates-drawn"
    reports = [check_conformance(trace) for trace in traces]
    named = sum(report.first(rule) is not None for report in reports)
    untold = sum(rule in dict(report.undecided) for report in reports)
    passed = sum(rule in report.passed for report in reports)
    found = check_conformance(traces).first(rule)
    print(f"Candidates always the argmax, {runs} single samples at the default settings.")
    print(f"Each run alone: {named} accused, {untold} could not be told, {passed} passed. All of them pooled:", end=" ")
    print("not accused.\n" if found is None else f"accused in run {found.trace + 1}. {found.what}\n", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python benchmarks/conformance.py", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs")
    quick = parser.parse_args(arguments).quick
    torch.set_num_threads(1)
    model, tokenizer = dv.load_tiny()
    rng = np.random.default_rng(5)
    healthy, runs = (48, 4) if quick else (240, 15)
    print(
        f"Printed by `python benchmarks/conformance.py{' --quick' if quick else ''}`; transformers "
        f"{transformers.__version__}, torch {torch.__version__}, Python {platform.python_version()}.\n"
    )
    false_alarms(model, tokenizer, rng, healthy)
    always_the_argmax(model, tokenizer, np.random.default_rng(6), healthy)
    print("| planted bug | seen in | runs that it changed | named by its rule | first violation is its rule |")
    print("| --- | --- | ---: | ---: | ---: |")
    for fault in FAULTS:
        changed = named = first = 0
        missed: list[int] = []
        for seed in range(runs):
            prompts, settings = draw(rng, BATCH), STEPS | UNSETTLED.get(fault.name, {})
            broken = record(model, tokenizer, prompts, seed=seed, fault=fault, **settings)
            if same_decisions(broken, record(model, tokenizer, prompts, seed=seed, **settings)):
                continue
            report = check_conformance(broken)
            changed += 1
            if any(report.first(rule) for rule in NAMED_BY[fault.name]):
                named += 1
            else:
                missed.append(re_noised(broken))
            first += bool(report.violations) and report.violations[0].rule in NAMED_BY[fault.name]
        print(
            f"| {fault.title} | {fault.source} | {changed} of {runs} | {named} of {changed} | {first} of {changed} |",
            flush=True,
        )
        if missed:
            print(f"|  | missed: only {', '.join(map(str, missed))} re-noised positions in the whole run | | | |")


if __name__ == "__main__":
    main()
